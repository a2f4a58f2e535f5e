"""A small lake on which a command writes without Spark: that of format 4, with small tables of today."""

from __future__ import annotations

import shutil
from pathlib import Path

from conf.settings import Settings
from lake import catalog, delta_rs_reader, small_tables
from tests.support.archives import unpack

ARCHIVE = Path(__file__).parents[1] / "lakes" / "format-4.tar.gz"
BLOCKED = 14
"""The chunk that is blocked in the archive, and is left out here."""

WORDS = ("--landing", "landing", "--lake", "lake")
MODEL = ("--extractor", "tflite", "--weights", "model.tflite")


def make(root: Path) -> None:
    """Makes the lake under a root. Its small tables are made anew by delta-rs, as those of the archive have
    in-commit timestamps, which only Spark can drop."""
    unpack(ARCHIVE, root)
    lake, delta = str(root / "lake"), Settings.load("local", environment={}).delta
    for table in catalog.TABLES:
        if not table.is_small:
            continue
        rows = []
        if (root / "lake" / table.name).exists():
            rows = delta_rs_reader.rows(lake, table)
            shutil.rmtree(root / "lake" / table.name)
        small_tables.create(lake, table, catalog.properties(table, delta))
        kept = [row for row in rows if table is not catalog.CHUNKS or row["chunk"] != BLOCKED]
        if kept:
            known = delta_rs_reader.delta_table(lake, table)
            small_tables.append(known, None, table=table, rows=kept)
    shutil.rmtree(root / "lake/staging")
