"""What is staged of a chunk of silver: photos with embeddings, and photos without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake import catalog
from lake.chunks import Chunk
from lake.enums import SILVER
from lake.file_parts import FilePart
from lake.row_source import RowSource
from lake.small_tables import with_values
from lake.writable_lake import WritableLake
from silver import embedding_files, embedding_rows
from silver.embedding_rows import NOT_EMBEDDED

EMBEDDED, WITHOUT, REFUSED = "embedded", "without", "refused"
"""The staged parts: files of embeddings; the photos that got none (`NOT_EMBEDDED`), which earlier code staged
with the embeddings; and those whose embeddings silver's gate refused, with their reasons."""


class StagedEmbeddings:
    """The photos of one chunk that a model was tried on."""

    def __init__(self, lake: WritableLake, chunk: Chunk) -> None:
        self._lake = lake
        self._chunk = chunk
        self._is_earlier = lake.staging.has_column(chunk, EMBEDDED, "reason")

    @property
    def parts(self) -> Sequence[str]:
        """The parts without which it is not whole."""
        return [EMBEDDED] if self._is_earlier else [EMBEDDED, WITHOUT]

    def by_reason(self) -> Counter[str | None]:
        """The number of photos by the reason of their refusal; None for those with an embedding."""
        staging, chunk = self._lake.staging, self._chunk
        part = staging.file_part(chunk, EMBEDDED, catalog.EMBEDDINGS)
        refused = WITHOUT if part else EMBEDDED
        reasons = staging.columns(chunk, refused, "reason")["reason"].to_pylist()
        found: Counter[str | None] = Counter(reasons)
        found[None] += sum(file.rows for file in part.files) if part else 0
        return +found

    def accepted(self) -> RowSource:
        """The rows of silver/embeddings of those with an embedding."""
        staged = self._lake.staging.source(self._chunk, EMBEDDED)
        if self._is_earlier:
            staged = staged.without("reason")
        return embedding_rows.accepted(staged, weights_id=self._chunk.model)

    def refused(self) -> pa.Table:
        """The photos that are refused, with the columns `NOT_EMBEDDED`: those without an embedding, and those
        whose embeddings silver's gate refused."""
        part = EMBEDDED if self._is_earlier else WITHOUT
        without = self._lake.staging.columns(self._chunk, part, *NOT_EMBEDDED)
        without = without.filter(pc.field("reason").is_valid())
        caught = self.caught()
        if caught is None:
            return without
        caught = with_values(caught, {"stage": SILVER, "detail": pa.scalar(None, pa.string())})
        return pa.concat_tables([without, caught.select(NOT_EMBEDDED).cast(without.schema)])

    def photos(self) -> DataFrame:
        """The `photo_id` of all photos."""
        staging, chunk = self._lake.staging, self._chunk
        tried = staging.read(chunk, EMBEDDED).select("photo_id")
        if self._is_earlier:
            return tried
        return tried.unionByName(staging.read(chunk, WITHOUT).select("photo_id"))

    def caught(self) -> pa.Table | None:
        """The photos whose embeddings the gate refused; None where it refused none."""
        staging, chunk = self._lake.staging, self._chunk
        return staging.columns(chunk, REFUSED) if staging.has(chunk, REFUSED) else None

    def kept(self) -> DataFrame | FilePart:
        """The rows of silver/embeddings that the gate let through: as the files that were staged, where they
        were staged for this very chunk."""
        caught = self.caught()
        staging, chunk = self._lake.staging, self._chunk
        part = staging.file_part(chunk, EMBEDDED, catalog.EMBEDDINGS)
        if part is None or part.chunk != chunk.number:
            rows = staging.read(chunk, EMBEDDED)
            rows = rows.where("reason is null") if self._is_earlier else rows
            if caught is not None:
                gone = F.broadcast(staging.read(chunk, REFUSED).select("photo_id"))
                rows = rows.join(gone, "photo_id", "left_anti")
            return embedding_rows.published(rows, weights_id=chunk.model)
        ids = [] if caught is None else caught["photo_id"].to_pylist()
        return replace(
            part,
            partition={"weights_id": chunk.model},
            left_out=embedding_files.left_out(self._lake.files, part, ids) if ids else {},
        )
