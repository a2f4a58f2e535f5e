"""A lake whose tables delta-rs makes, for one writer that starts no Spark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conf.settings import Settings
from lake import catalog, lease, small_tables
from lake.run_journal import Run
from lake.storage.locate import folder
from lake.writable_lake import WritableLake
from tests.support.photo_tables import write


@contextmanager
def small_lake(root, rows=None) -> Iterator[WritableLake]:
    """A lake under a root, for writing: every table, with `rows` by table."""
    files = folder(str(root))
    files.make()
    delta = Settings.load("local", environment={}).delta
    for table in catalog.TABLES:
        properties = dict(catalog.properties(table, delta))
        properties.pop("delta.enableInCommitTimestamps", None)  # delta-rs can't commit to such
        small_tables.create(files.root, table, properties)
    for table, some in (rows or {}).items():
        if some:
            write(files.root, table, some)
    with lease.held(files, run_id="run", seconds=60) as own:
        yield WritableLake(_no_spark, files, Run("run", "code", "settings"), own)


def _no_spark():
    raise AssertionError("Spark was started")
