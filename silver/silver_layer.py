"""The silver layer: bronze's photos through their gate and the model, embeddings through silver's gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkPlan, ChunkState, not_yet_taken
from lake.context import Context
from lake.enums import BRONZE, SILVER, GateAction
from lake.layer_interfaces import EmbeddingModel, Gate, GateOutcome
from lake.progress_bar import counted
from lake.publication import ChunkLayer, Contents, Publication, TableCommit
from lake.row_source import RowSource
from lake.small_tables import with_values
from lake.writable_lake import WritableLake
from silver import embedding_files, embedding_rows, precision_quality
from silver.embedding_files import BronzePhotos
from silver.embedding_rows import NOT_EMBEDDED
from silver.staged_embeddings import EMBEDDED, REFUSED, WITHOUT, StagedEmbeddings


class SilverChunks(ChunkLayer):
    """Silver's chunks: embeddings that pass the gate, and last silver/quarantine with the refused photos."""

    name = SILVER
    tables = (catalog.EMBEDDINGS, catalog.QUARANTINE)
    is_judged = True

    def __init__(self, lake: WritableLake, gate: Gate) -> None:
        self._lake = lake
        self._gate = gate
        self._reasons: dict[int, dict[str | None, int]] = {}

    def _by_reason(self, chunk: Chunk) -> dict[str | None, int]:
        """The photos of a staged chunk by the reason of their refusal; None for those with an embedding.
        They are counted once."""
        if chunk.number not in self._reasons:
            self._reasons[chunk.number] = StagedEmbeddings(self._lake, chunk).by_reason()
        return dict(self._reasons[chunk.number])

    def judge(self, chunk: Chunk) -> None:
        """Judges the embeddings of a staged chunk, and stages the photos that are refused. Raises Blocked."""
        by_reason = self._by_reason(chunk)
        refused_before = {reason: n for reason, n in by_reason.items() if reason is not None}
        outcome = self._gate(
            StagedEmbeddings(self._lake, chunk).accepted(),
            chunk=chunk,
            table=catalog.EMBEDDINGS,
            expected=chunk.photos - sum(refused_before.values()),
            refused_before=refused_before,
        )
        self._lake.staging.remove(chunk, REFUSED)
        if outcome.refusals is not None:
            self._lake.staging.write(chunk, REFUSED, outcome.refusals)
            fault_points.at("silver: refused staged")

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """What was embedded, and after a verdict by which rows were refused also these."""
        parts = StagedEmbeddings(self._lake, chunk).parts
        is_judged = chunk.state is ChunkState.JUDGED
        return [*parts, REFUSED] if is_judged and self._refused_rows(chunk) else parts

    def _refused_rows(self, chunk: Chunk) -> bool:
        """Whether ops/quality tells of the last verdict on a chunk that it refused rows, or all of them."""
        suite = catalog.EMBEDDINGS.name.replace("/", "_")
        of_chunk = pc.field("chunk") == chunk.number
        found = self._lake.records(catalog.QUALITY, where=of_chunk)
        found = [row for row in found if row["suite"] == suite]
        last = max((row["judged_at"] for row in found), default=None)
        refuses = (GateAction.QUARANTINED, GateAction.RELEASED)
        return any(
            row["action"] in refuses or (row["element_count"] and row["table_version"] is None)
            for row in found
            if row["judged_at"] == last
        )

    def published_photos(self, chunk: Chunk) -> int | None:
        """The embeddings of a chunk that silver/quarantine, the last of its tables, has, or of which none
        was refused."""
        lake, number = self._lake, chunk.number
        kept = lake.source(catalog.EMBEDDINGS, chunks=(number, number)).count()
        all_kept = bool(kept) and kept == chunk.photos and not chunk.is_replay
        return kept if all_kept or lake.last_chunk(catalog.QUARANTINE) == number else None

    def contents(self, chunk: Chunk) -> Contents:
        """The commits of a staged chunk after its verdict."""
        lake, staged = self._lake, StagedEmbeddings(self._lake, chunk)
        by_reason = self._by_reason(chunk)
        reasons = {reason: n for reason, n in by_reason.items() if reason is not None}
        kept = by_reason.get(None, 0)
        if (caught := staged.caught()) is not None:
            by_rule = Counter(caught["reason"].to_pylist())
            kept -= sum(by_rule.values())
            reasons |= by_rule
        commits = []
        if kept:
            commits.append(lake.append_commit(catalog.EMBEDDINGS, staged.kept(), chunk=chunk))
        rows = embedding_rows.quarantine(staged.refused(), weights_id=chunk.model)
        if chunk.is_replay:
            photos, refusals = staged.photos(), lake.rows(catalog.QUARANTINE, rows)
            commits.append(
                TableCommit(catalog.QUARANTINE, lambda: _replayed(lake, chunk, photos, refusals))
            )
        elif reasons:
            own = lake.staging.rows_part(chunk, catalog.QUARANTINE, rows, run_id=lake.run.run_id)
            commits.append(lake.append_commit(catalog.QUARANTINE, own, chunk=chunk))
        quarantined = sum(reasons.values())
        return Contents(
            commits,
            photos=kept,
            counts={"in": kept + quarantined, "kept": kept, "quarantined": quarantined},
            reasons=reasons,
        )


def not_yet_embedded(lake: WritableLake, model: EmbeddingModel) -> list[Chunk]:
    """The bronze chunks with photos that the model has not seen, oldest first."""
    chunks = lake.ledger.chunks().values()
    return not_yet_taken(chunks, source=BRONZE, layer=SILVER, weights_id=model.weights_id)


def judged_photos(
    context: Context, source: Chunk, *, gate: Gate
) -> tuple[BronzePhotos, GateOutcome]:
    """Bronze's verdict on a published chunk: its photos, and what the gate says of them.

    The verdict is recorded as the state of the bronze chunk. Raises Blocked.
    """
    lake = context.lake
    photos = lake.source(catalog.PHOTOS, chunks=(source.number, source.number))
    outcome = gate(photos, chunk=source, table=catalog.PHOTOS, expected=source.photos)
    state = ChunkState.RELEASED if outcome.released else ChunkState.JUDGED
    if source.state is not state:
        lake.ledger.reached(source, state)
    return BronzePhotos([source.number]), outcome


def plan(model: EmbeddingModel, *, photos: int, source: int | None = None) -> ChunkPlan:
    """The chunk that holds the embeddings of so many photos: of one bronze chunk, or of photos that are
    replayed."""
    return ChunkPlan(
        layer=SILVER,
        weights_id=model.weights_id,
        source_from=source,
        source_to=source,
        photos=photos,
        bytes=photos * model.dimensions * np.float32().nbytes,
    )


def stage(context: Context, photos: BronzePhotos, outcome: GateOutcome, chunk: Chunk) -> None:
    """Embeds the photos that bronze's gate let through, and stages them with those that it refused.

    Raises Blocked where the model's precision loses too much (`precision_quality`)."""
    lake = context.lake
    precision_quality.judge(context, chunk)
    refused = []
    if outcome.refusals is not None:
        of_gate = {"stage": BRONZE, "detail": pa.scalar(None, pa.string())}
        refused = [with_values(outcome.refusals.toArrow(), of_gate).select(NOT_EMBEDDED)]
    title = f"silver chunk {chunk.number}"
    with counted(lake.spark, context.console, title=title, photos=chunk.photos) as count:
        embedded = embedding_files.embedded(
            lake,
            photos,
            context.model.on_workers(lake.spark),
            into=lake.staging.worker_files(chunk, EMBEDDED, run_id=lake.run.run_id),
            left_out=[photo for rows in refused for photo in rows["photo_id"].to_pylist()],
            count=count,
        )
    fault_points.at("silver: embeddings written")
    lake.staging.record_files(chunk, EMBEDDED, embedded.files)
    fault_points.at("silver: embeddings recorded")
    schema = embedded.refused.schema
    rows = pa.concat_tables([embedded.refused, *(each.cast(schema) for each in refused)])
    lake.staging.write_rows(chunk, WITHOUT, rows)


def release(context: Context, chunk: Chunk) -> None:
    """Takes a blocked chunk, of bronze or of silver, through a gate that releases it into quarantine.

    Judged chunks go before it: no higher number may. Raises Blocked.
    """
    model = context.model  # Where it can't be had, nothing has changed.
    gate = context.releasing_gate
    publication = Publication(context.lake, SilverChunks(context.lake, gate), context.did)
    publication.finish_half_published()
    if chunk.layer == BRONZE:
        photos, outcome = judged_photos(context, chunk, gate=gate)
        publication.run(
            plan(model, photos=chunk.photos, source=chunk.number),
            lambda planned: stage(context, photos, outcome, planned),
        )
    elif context.lake.ledger.chunks()[chunk.number].is_unfinished:  # its staged rows were there
        publication.publish_left(chunk)


def embed_again(context: Context, photos: DataFrame, numbers: Sequence[int]) -> None:
    """Takes quarantined photos (a frame with their `photo_id`) of some bronze chunks through the gates again.

    Raises Blocked.
    """
    lake, gate = context.lake, context.gate
    held = lake.read(catalog.PHOTOS).where(F.col("chunk").isin(list(numbers)))
    again = held.join(F.broadcast(photos.select("photo_id")), on="photo_id", how="left_semi")
    publication = Publication(lake, SilverChunks(lake, gate), context.did)
    ids = again.select("photo_id").toArrow()["photo_id"].to_pylist()
    [chunk] = publication.plan([plan(context.model, photos=len(ids))])
    outcome = gate(
        RowSource(lambda: again), chunk=chunk, table=catalog.PHOTOS, expected=chunk.photos
    )
    publication.publish(
        publication.stage(
            chunk, lambda planned: stage(context, BronzePhotos(numbers, ids), outcome, planned)
        )
    )


def _replayed(lake: WritableLake, chunk: Chunk, tried: DataFrame, refused: DataFrame) -> int:
    """Writes the outcome of a replay to silver/quarantine; returns the version of the table.

    A refusal for the same reason stays as it was, the other open refusals of the photos end, and refusals for
    new reasons get rows of their own.
    """
    quarantined = lake.source(catalog.QUARANTINE)
    held = embedding_rows.open_refusals(quarantined, weights_id=chunk.model).frame()
    same = held.join(F.broadcast(refused), on=["photo_id", "stage", "reason"], how="left_semi")
    unchanged = F.broadcast(same.select("photo_id"))
    ended = tried.select("photo_id", F.lit(chunk.model).alias("weights_id"))
    return lake.supersede(
        catalog.QUARANTINE,
        ended.join(unchanged, on="photo_id", how="left_anti"),
        refused.join(unchanged, on="photo_id", how="left_anti"),
        keys=["photo_id", "weights_id"],
        ended_at="replayed_at",
        chunk=chunk,
    )
