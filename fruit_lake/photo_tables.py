"""Features, embeddings and photos of a lake, as tables of Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput, hint
from fruit_lake import photo_quality
from fruit_lake.fitted_models import extractor_weights, version_row
from fruit_lake.opened_lake import OpenedLake
from fruit_lake.photo_quality import PhotoQuality
from fruit_lake.table_versions import Address, At
from lake import catalog
from lake.enums import ModelKind

Labels = str | Sequence[str] | None
Columns = str | Sequence[str] | None

FEATURES = ("photo_id", "label", "features", "model_version")
EMBEDDINGS = ("photo_id", "label", "embedding", "extractor", "weights_id")
PHOTOS = (
    *("photo_id", "label", "format", "width", "height", "taken_on", "uploaded_at"),
    *("size_bytes", "ingested_at", "brightness", "sharpness", "dhash", "refused"),
)
"""The columns of photos: those of bronze/photos that say something of the photo, and the quality columns."""

CONTENT = "content"


def features(
    lake: Address,
    *,
    version: str | None = None,
    weights_id: str | None = None,
    label: Labels = None,
    columns: Columns = None,
    at: At = None,
    limit: int | None = None,
) -> pa.Table:
    """Return one row for each photo: `photo_id`, `label`, `features` (float32[k]) and `model_version`.

    They are the features of one PCA version: the champion, chosen as `model` chooses it, or the `version` of
    that name. `label` is one label, or several: only their photos are read. `columns` are other columns of
    gold/features; the pseudonym `subject` is read only where it is named. `at` is a time, or a version of
    gold/features. The rows have no order; `limit` is the most of them that are read.

    Raises BadInput where there is no such lake, version, champion or column, or it can't be read any more.
    """
    opened = OpenedLake.of(lake, at, catalog.FEATURES)
    narrow = ("version", "kind", "status", "weights_id")
    row = version_row(opened, ModelKind.PCA, version=version, weights_id=weights_id, columns=narrow)
    wanted = _columns(columns, FEATURES, catalog.FEATURES.column_names)
    is_of_version = pc.field("model_version") == row["version"]
    return opened.rows(
        catalog.FEATURES, wanted, _and(is_of_version, _has_label(label)), limit=_checked(limit)
    )


def embeddings(
    lake: Address,
    *,
    weights_id: str | None = None,
    label: Labels = None,
    columns: Columns = None,
    at: At = None,
    limit: int | None = None,
) -> pa.Table:
    """Return one row for each photo: `photo_id`, `label`, `embedding` (float32[d]) and its extractor.

    They are the embeddings of one extractor: that of the champion PCA, or the only one, or the one whose
    `weights_id` begins so. `columns` are other columns of silver/embeddings, among them the quality of the
    photo: `width`, `height`, `brightness`, `sharpness`, `dhash`. `at` is a time, or a version of
    silver/embeddings. `label`, `limit` and `subject` are as in `features`.

    Raises BadInput as `features`.
    """
    opened = OpenedLake.of(lake, at, catalog.EMBEDDINGS)
    weights = extractor_weights(opened, weights_id)
    wanted = _columns(columns, EMBEDDINGS, catalog.EMBEDDINGS.column_names)
    is_of_extractor = pc.field("weights_id") == (weights or "")
    return opened.rows(
        catalog.EMBEDDINGS, wanted, _and(is_of_extractor, _has_label(label)), limit=_checked(limit)
    )


def photos(
    lake: Address,
    *,
    label: Labels = None,
    columns: Columns = None,
    at: At = None,
    limit: int | None = None,
    weights_id: str | None = None,
) -> pa.Table:
    """Return one row for each photo: what bronze tells of it, and its quality, without its bytes.

    `brightness` in [0, 1], `sharpness` and `dhash` are measured when the photo is embedded; they are null for
    a photo that wasn't. `refused` is the reason where silver refused it. `columns` are other columns of
    bronze/photos beside these. `at` is a time, or a version of bronze/photos. Of several extractors,
    `weights_id` names the one whose quality is meant. `label`, `limit` and `subject`
    are as in `features`. `photo_batches` reads the bytes.

    Raises BadInput as `features`, and for the column `content`.
    """
    opened = OpenedLake.of(lake, at, catalog.PHOTOS)
    wanted = _columns(columns, PHOTOS, _photo_columns())
    if CONTENT in wanted:
        raise BadInput(
            "photos reads no bytes, because those of all photos may not fit into memory; leave out the "
            "column content, or read it with photo_batches."
        )
    quality = PhotoQuality.of(opened, wanted, weights_id)
    of_bronze = photo_quality.stored(wanted)
    read = opened.rows(catalog.PHOTOS, of_bronze, _has_label(label), limit=_checked(limit))
    return pa.Table.from_batches(
        [quality.added_to(batch, wanted) for batch in read.to_batches()],
        photo_quality.schema(read.schema, wanted),
    )


def photo_batches(
    lake: Address,
    *,
    label: Labels = None,
    columns: Columns = ("photo_id", "label", "content"),
    at: At = None,
    rows: int = 64,
    weights_id: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """Return an iterator over photos with their bytes (`content`, in the photo's `format`), in batches of
    at most `rows` photos.

    Memory holds a few batches at a time, however many photos there are. `columns` and the rest are as in
    `photos`, but for the column `split`, which `photos` reads.

    Raises BadInput as `features`, and where `rows` is less than 1.
    """
    if rows < 1:
        raise BadInput(f"rows={rows} is less than 1; give the most photos of a batch.")
    opened = OpenedLake.of(lake, at, catalog.PHOTOS)
    # Files of earlier code lack this column, and batches are read file by file.
    known = [each for each in _photo_columns() if each != "split"]
    wanted = _columns(columns, PHOTOS, known)
    quality = PhotoQuality.of(opened, wanted, weights_id)
    filtered = wanted if label is None else [*wanted, "label"]
    read = opened.small_batches(
        catalog.PHOTOS, photo_quality.stored(filtered), _has_label(label), rows=rows
    )
    return (quality.added_to(batch, wanted) for batch in read if batch.num_rows)


def _photo_columns() -> list[str]:
    return [*catalog.PHOTOS.column_names, *photo_quality.COLUMNS.names]


def _columns(given: Columns, default: Sequence[str], known: Sequence[str]) -> list[str]:
    """The columns that are read, by default `default`. Raises BadInput for one that is not known."""
    wanted = [given] if isinstance(given, str) else list(default if given is None else given)
    for name in wanted:
        if name not in known:
            listed = f"name some of {', '.join(known)}."
            raise BadInput(
                f"There is no column {name!r}; {hint(str(name), known, otherwise=listed)}"
            )
    if not wanted or len(set(wanted)) < len(wanted):
        raise BadInput("columns must name one column or more, each once.")
    return wanted


def _has_label(label: Labels) -> pc.Expression | None:
    """The condition that a photo has one of some labels; None where every photo is meant."""
    if label is None:
        return None
    labels = [label] if isinstance(label, str) else list(label)
    return pc.field("label").isin(pa.array(labels, pa.string()))


def _and(one: pc.Expression, other: pc.Expression | None) -> pc.Expression:
    return one if other is None else one & other


def _checked(limit: int | None) -> int | None:
    """The most rows that are read; None for all. Raises BadInput for a number below 0."""
    if limit is not None and limit < 0:
        raise BadInput(f"limit={limit} is below 0; give the most rows that are to be read.")
    return limit
