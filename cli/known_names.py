"""Names that the words of the command line take, for help, errors and completion.

The code that owns them loads Spark or Pillow, which takes seconds; a test compares them with it.
"""

from __future__ import annotations

JUDGED_TABLES = (
    "bronze/photos",
    "silver/embeddings",
    "gold/features",
    "gold/models",
    "bronze/objects",
    "bronze/rejected",
    "bronze/known_keys",
    "silver/quarantine",
    "gold/moments",
    "gold/held_out",
    "ops/runs",
    "ops/chunks",
    "ops/drift",
    "ops/quality",
    "privacy/tombstones",
    "privacy/erasures",
)
"""The tables that have a suite of expectations (expectations/suites.py)."""

RESTORED_TABLES = ("bronze/photos", "silver/embeddings", "gold/features")
"""The tables that can be restored by themselves (privacy/restore.py)."""

AUDITED_TABLES = (
    "bronze/objects",
    "bronze/photos",
    "bronze/rejected",
    "silver/embeddings",
    "silver/quarantine",
    "gold/features",
    "gold/held_out",
)
"""The tables that audits search (privacy/audit/table_findings.py)."""

REFUSALS = (
    "truncated",
    "undecodable",
    "pixel_bomb",
    "too_large",
    "too_small",
    "blank",
    "unsupported",
    "decoder_crashed",
    "decoder_timeout",
)
"""The reasons for which silver refuses a photo that it decodes (silver/pixels.py)."""

REJECTIONS = (
    "empty",
    "not_a_photo",
    "malformed",
    "too_large",
    "parser_crashed",
    "parser_timeout",
)
"""The reasons for which bronze refuses a file that it reads (bronze/formats/cleaning_results.py)."""
