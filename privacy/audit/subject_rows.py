"""The rows of a subject, in any table with rows of photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import Folder
from lake.subject_paths import hidden_names
from privacy.audit.table_history import History


def filter_of(
    files: Folder, pseudonyms: Pseudonyms, subject: str
) -> Callable[[pa.Table], pa.Table]:
    """Return the filter that keeps the rows of a subject, by the subject's name in clear."""
    pseudonym = pseudonyms.subject(subject)
    hidden = _hidden_keys(files, pseudonyms, pseudonym=pseudonym)

    def kept(rows: pa.Table) -> pa.Table:
        is_own = pc.field("subject") == pseudonym
        for column, keys in hidden.items():
            if keys and column in rows.column_names:
                is_own |= pc.field(column).isin(pa.array(keys, pa.string()))
        return rows.filter(is_own)

    return kept


def _hidden_keys(
    files: Folder, pseudonyms: Pseudonyms, *, pseudonym: str
) -> Mapping[str, Sequence[str]]:
    """Return the keys, `photo_id` or `object`, of rows that are a subject's by their paths alone.

    They are those of any version. Only a lake of format 4 holds such rows: it took them for rows without a
    subject, and kept the paths in bronze/photos and bronze/rejected.
    """
    if not pseudonyms.names.is_as_written:
        return {}

    def is_named(subject: str | None, path: str | None) -> bool:
        names = hidden_names(path, pseudonyms.names) if subject is None else ()
        return any(pseudonyms.subject(name) == pseudonym for name in names)

    def named(rows: pa.Table) -> pa.Table:
        pairs = zip(rows["subject"].to_pylist(), rows["path"].to_pylist(), strict=True)
        return rows.filter(pa.array([is_named(*pair) for pair in pairs], pa.bool_()))

    found = {}
    for table, column in ((catalog.PHOTOS, "photo_id"), (catalog.REJECTED, "object")):
        history = History(files, table, [column, "subject", "path"], named)
        rows = history.rows(history.lying_files)
        found[column] = sorted({row[column] for row in rows})
    return found
