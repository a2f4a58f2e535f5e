"""A processor that lacks what this machine's may have, in a module that Spark's workers import."""

from __future__ import annotations

from collections.abc import Collection

from silver import processor_features


def features() -> Collection[str]:
    """This machine's features without those that bfloat16 needs."""
    return frozenset(processor_features.features()).difference(processor_features.BFLOAT16)
