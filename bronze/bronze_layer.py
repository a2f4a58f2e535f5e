"""The bronze layer: what is new in the landing folder, read, cleaned and published in chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from bronze import (
    arrived_files,
    bronze_rows,
    label_claims,
    listing_counts,
    object_outcomes,
    second_tries,
)
from bronze.arrived_files import FILE, ROW
from bronze.labels import Labels
from bronze.landing import Arrival, Landing, Listing, arrival
from bronze.listed_objects import ListedObjects
from bronze.listing_counts import next_run
from bronze.second_tries import TRIED
from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkPlan
from lake.context import Context
from lake.enums import BRONZE, Outcome
from lake.file_parts import FilePart
from lake.progress_bar import counted
from lake.publication import ChunkLayer, Contents, TableCommit
from lake.writable_lake import WritableLake

ARRIVED, CLEANED = "arrived", "cleaned"
"""The staged parts of a bronze chunk: its objects as they were read (`arrived_files.Arrived`), and the files
with the photos among them. Earlier code staged the photos with the objects (`bronze_rows.ARRIVED`)."""

DECIDING = tuple(sorted({*object_outcomes.JUDGED, *bronze_rows.REJECTED, FILE, ROW}))
"""The columns of the staged objects that the driver reads: all but the photos themselves."""


class BronzeChunks(ChunkLayer):
    """Bronze's chunks: photos and refused objects, and last bronze/objects, which tells what was seen.

    Bronze keeps every photo that arrived. Its gate judges a chunk after the publication, before silver reads
    it.
    """

    name = BRONZE
    tables = (catalog.PHOTOS, catalog.REJECTED, catalog.OBJECTS)
    lost_by_withdrawal = ", but for photos that have left the landing folder since: those are lost"

    def __init__(self, lake: WritableLake) -> None:
        self._lake = lake

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """The objects as they were read, the photos among them, and for a second try the rows of those that
        were rejected."""
        is_earlier = self._lake.staging.has_column(chunk, ARRIVED, bronze_rows.CONTENT)
        parts = [ARRIVED] if is_earlier else [ARRIVED, CLEANED]
        return [*parts, TRIED] if chunk.is_second_try else parts

    def published_photos(self, chunk: Chunk) -> int | None:
        """The photos of a chunk that bronze/objects, the last of its tables, has."""
        if self._lake.last_chunk(catalog.OBJECTS) != chunk.number:
            return None
        return self._lake.source(catalog.PHOTOS, chunks=(chunk.number, chunk.number)).count()

    def contents(self, chunk: Chunk) -> Contents:
        """The commits of a staged chunk, whose photos are stored once however often they were sent."""
        lake, facts = self._lake, self._facts(chunk)
        ids = object_outcomes.photo_ids(facts)
        held = lake.known_keys.photos(ids, before=chunk.number)
        found = object_outcomes.outcomes(facts, held)
        outcomes, rejected = found.to_pylist(), bronze_rows.rejected(facts)
        again = {row["photo_id"] for row in outcomes if row["outcome"] == Outcome.DUPLICATE}
        known = {photo: held[photo] for photo in again & held.keys()}
        label_claims.record(outcomes, label_claims.labels_of(lake, known))
        by_outcome = Counter(row["outcome"] for row in outcomes)
        stored = by_outcome[Outcome.STORED]
        left = 0 if chunk.is_second_try else chunk.photos - len(outcomes)
        gone = {listing_counts.GONE: left} if left > 0 else {}
        commits: list[TableCommit] = []
        if stored:
            repeated = [r["position"] for r in outcomes if r["outcome"] == Outcome.DUPLICATE]
            kept = self._photos(chunk, facts, repeated)
            commits.append(lake.append_commit(catalog.PHOTOS, kept, chunk=chunk))
        if chunk.is_second_try:
            commits += second_tries.commits(lake, chunk, outcomes, rejected)
        else:
            for table, rows in ((catalog.REJECTED, rejected), (catalog.OBJECTS, outcomes)):
                if rows:
                    own = lake.staging.rows_part(chunk, table, rows, run_id=lake.run.run_id)
                    commits.append(lake.append_commit(table, own, chunk=chunk))
        return Contents(
            commits,
            photos=stored,
            counts={"in": len(outcomes), "kept": stored, **by_outcome, **gone},
            reasons=Counter(row["reason"] for row in rejected),
        )

    def _photos(
        self, chunk: Chunk, facts: pa.Table, repeated: Sequence[int]
    ) -> FilePart | DataFrame:
        """The photos of a staged chunk, but for those that the lake has already, at the positions
        `repeated`."""
        staging = self._lake.staging
        cleaned = staging.file_part(chunk, CLEANED, catalog.PHOTOS)
        if cleaned is None:  # earlier code staged the chunk
            return bronze_rows.photos(staging.read(chunk, ARRIVED), repeated)
        again = facts.filter(pc.field("position").isin(pa.array(repeated, pa.int32())))
        left_out: dict[str, list[int]] = {}
        for file, row in zip(*(again[name].to_pylist() for name in (FILE, ROW)), strict=True):
            left_out.setdefault(file, []).append(row)
        return replace(cleaned, left_out=left_out)

    def _facts(self, chunk: Chunk) -> pa.Table:
        """What the commits of a staged chunk are decided by: its objects without the photos themselves."""
        staging = self._lake.staging
        known = staging.source(chunk, ARRIVED).schema.names
        facts = staging.columns(chunk, ARRIVED, *(name for name in DECIDING if name in known))
        if "split" not in known:  # earlier code staged the chunk
            facts = facts.append_column("split", pa.nulls(facts.num_rows, pa.string()))
        return second_tries.read_again(facts) if chunk.is_second_try else facts


@contextmanager
def listed(context: Context, listing: Listing) -> Iterator[ListedObjects]:
    """List the landing folder, or a part of it, and note what was not found or taken. Raises BadInput where
    it can't be listed."""
    labels = Labels.of(context.settings.labels, context.pseudonyms.names)
    with ListedObjects(listing, context.pseudonyms, labels) as found:
        settings = context.settings
        listing_counts.note(
            found.counts,
            settings.paths.landing,
            context.did,
            is_whole=found.is_whole,
            next_run=next_run(settings.landing),
        )
        yield found


def photos_that_left(context: Context, landing: Landing, number: int) -> int:
    """The photos of a chunk whose object versions the landing folder has no more: they can't be taken in
    again. Raises BadInput where there is no such folder."""
    photos = context.lake.source(catalog.PHOTOS, chunks=(number, number))
    columns = ("path", "size_bytes", "uploaded_at")
    left = Counter(
        version
        for batch in photos.batches(*columns)
        for version in zip(*(batch[name].to_pylist() for name in columns), strict=True)
    )
    for each in landing.objects():
        path = arrival(each, position=0, pseudonyms=context.pseudonyms).stored_path
        left.pop((path, each.size, bronze_rows.modified_at(each)), None)
    return left.total()


def plan(group: Sequence[Arrival]) -> ChunkPlan:
    """The chunk that holds a group of objects."""
    size = sum(each.landing.size for each in group)
    return ChunkPlan(layer=BRONZE, photos=len(group), bytes=size)


def stage(
    context: Context,
    landing: Landing,
    group: Sequence[Arrival],
    chunk: Chunk,
    *,
    tombstones: frozenset[str],
) -> None:
    """Reads and cleans the objects of a chunk on the workers, and stages them."""
    lake, settings = context.lake, context.settings
    title = f"bronze chunk {chunk.number}"
    with counted(lake.spark, context.console, title=title, photos=len(group)) as count:
        arrived = arrived_files.read_objects(
            lake.spark,
            landing,
            group,
            into=lake.staging.worker_files(chunk, CLEANED, run_id=lake.run.run_id),
            chunks=settings.chunks,
            limits=settings.photos,
            admission=bronze_rows.Admission.of(context.pseudonyms, tombstones=tombstones),
            count=count,
        )
    fault_points.at("bronze: photos written")
    lake.staging.record_files(chunk, CLEANED, arrived.photos)
    fault_points.at("bronze: photos recorded")
    lake.staging.write_rows(chunk, ARRIVED, arrived.facts)
