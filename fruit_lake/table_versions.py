"""Which version of a table is meant by a time, and when a version ended. The log of the table tells both."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from conf.errors import BadInput, hint
from lake import catalog, delta_log, delta_rs_reader, lake_format
from lake.catalog import Table
from lake.storage.folder import Folder
from lake.storage.locate import folder
from lake.time_texts import end_of, in_utc, utc_time

Address = str | os.PathLike[str]
"""The root of a lake: a folder, or `s3://bucket/prefix`."""

At = int | str | date | datetime | None
"""A version of a table, or a time: a datetime (UTC where it has no zone), a date (its end), or either as a
text in ISO 8601. None stands for now."""


VERSIONS = pa.schema(
    [
        ("version", pa.int64()),
        ("made_at", pa.timestamp("us", "UTC")),
        ("operation", pa.string()),
        ("run_id", pa.string()),
    ]
)


def versions(lake: Address, table: str = catalog.FEATURES.name) -> pa.Table:
    """Return one row for each version of a table that its log tells of, oldest first: what `at` can name.

    `made_at` is when the version was committed, by Delta's `operation`, in the run `run_id`. `table` is a
    name such as gold/features, silver/embeddings, bronze/photos or gold/models. The files of an early version
    may be gone. Raises BadInput where there is no such lake or table.
    """
    files = existing(lake)
    tables = {each.name: each for each in catalog.TABLES}
    if table not in tables:
        known = hint(table, tables, otherwise=f"name one of {', '.join(tables)}.")
        raise BadInput(f"There is no table {table!r}; {known}")
    rows = []
    for version in _logged(files, tables[table]):
        info = _commit_info(files, tables[table], version)
        if not info:
            continue
        rows.append(
            {
                "version": version,
                "made_at": delta_log.commit_time(info),
                "operation": info.get("operation"),
                "run_id": delta_log.written_by(info).get("run_id"),
            }
        )
    return pa.Table.from_pylist(rows, VERSIONS)


def existing(lake: Address) -> Folder:
    """Return the files of a lake. Raises BadInput where there is no lake, or one of another format."""
    files = folder(os.path.expanduser(os.fspath(lake)))
    delta_rs_reader.check_address(files.root)
    if lake_format.check_format(files) is None:
        raise BadInput(
            f"There is no lake in {files.root}; name the folder of one, or s3://bucket/prefix."
        )
    return files


def time_of(at: str | date | datetime) -> datetime:
    """Return the time that `at` names. Raises BadInput for a text that names none."""
    if isinstance(at, datetime):
        return in_utc(at)
    if isinstance(at, date):
        return end_of(at)
    try:
        return utc_time(at)
    except (TypeError, ValueError):
        raise BadInput(
            f"at={at!r} is no time; write it as 2026-03-01T12:00:00 (UTC), or as a date, or give the number "
            f"of a version."
        ) from None


def version_at(files: Folder, table: Table, time: datetime) -> int:
    """Return the version of a table that readers saw at a time. Few entries of the log are read for that.

    Raises BadInput where the log has no entry that old.
    """
    versions = _logged(files, table)
    before = bisect_right(versions, time, key=lambda version: _made_at(files, table, version))
    if not before:
        raise BadInput(
            f"The log of {table.name} in {files.root} has no version as early as "
            f"{time.isoformat(timespec='seconds')}; name a later time."
        )
    return versions[before - 1]


def last_moment(files: Folder, table: Table, version: int) -> datetime | None:
    """Return the last moment at which a version was the current one; None where it still is.

    Raises BadInput where the table never had such a version.
    """
    last = delta_rs_reader.delta_table(files.root, table).version()
    if not 0 <= version <= last:
        raise BadInput(f"{table.name} has the versions 0 to {last}, but no version {version}.")
    if version == last:
        return None
    following = next((each for each in _logged(files, table) if each > version), last)
    return _made_at(files, table, following) - timedelta(microseconds=1)


def _logged(files: Folder, table: Table) -> list[int]:
    """The versions of a table that its log still has an entry of, in their order."""
    names = files.names(f"{table.name}/{delta_log.FOLDER}", suffix=".json")
    stems = (name.rpartition("/")[2].removesuffix(".json") for name in names)
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _made_at(files: Folder, table: Table, version: int) -> datetime:
    """The time at which a version was committed. Raises BadInput where its entry can't be understood."""
    info = _commit_info(files, table, version)
    if not info:
        raise BadInput(
            f"The log of {table.name} in {files.root} has no whole entry of version {version}, so nobody "
            f"knows when it was made; give the number of a version."
        )
    return delta_log.commit_time(info)


def _commit_info(files: Folder, table: Table, version: int) -> Mapping[str, Any]:
    return delta_log.commit_info(delta_log.actions(files, table, version) or ())
