"""The silver layer at work: bronze's chunks through the gate and the model, and through silver's own gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from lake import catalog, fault_points
from lake.chunks import Chunk, ChunkState, not_yet_taken, unfinished
from lake.gate_protocol import Gate, GateOutcome
from lake.lake import Lake, counts
from lake.progress_bar import counted
from lake.run_journal import LayerRun
from silver import embeddings
from silver.embeddings import BroadcastModel


def embed(
    lake: Lake, model: BroadcastModel, *, gate: Gate, console: Console, did: LayerRun
) -> None:
    """Embeds the photos that the model has not seen, after what an earlier run left staged.

    Raises Blocked at the first chunk that a gate stops.
    """
    finish(lake, weights_id=model.weights_id, gate=gate, did=did)
    chunks = lake.ledger.chunks().values()
    for source in not_yet_taken(
        chunks, source="bronze", layer="silver", weights_id=model.weights_id
    ):
        chunk = _stage(lake, source, model, gate=gate, console=console)
        _publish(lake, chunk, gate=gate, did=did)


def finish(lake: Lake, *, weights_id: str, gate: Gate, did: LayerRun) -> None:
    """Publishes what an earlier run left staged. Raises Blocked."""
    for chunk in unfinished(lake.ledger.chunks().values(), layer="silver", weights_id=weights_id):
        _publish_staged(lake, chunk, gate=gate, did=did)


def release(
    lake: Lake, chunk: Chunk, model: BroadcastModel, *, gate: Gate, console: Console, did: LayerRun
) -> None:
    """Takes a blocked chunk, of bronze or of silver, through a gate that releases it: into quarantine."""
    left = unfinished(lake.ledger.chunks().values(), layer="silver", weights_id=model.weights_id)
    for judged in (c for c in left if c.state is ChunkState.JUDGED):
        _publish_staged(lake, judged, gate=gate, did=did)
    if chunk.layer == "bronze":
        staged = _stage(lake, chunk, model, gate=gate, console=console)
        _publish(lake, staged, gate=gate, did=did)
    else:
        _publish_staged(lake, chunk, gate=gate, did=did)


def take_again(
    lake: Lake,
    model: BroadcastModel,
    photos: DataFrame,
    numbers: Sequence[int],
    *,
    gate: Gate,
    console: Console,
    did: LayerRun,
) -> None:
    """Of quarantined photos (one row a `photo_id`) those of the bronze chunks, through the gates again.

    Raises Blocked.
    """
    held = lake.read(catalog.PHOTOS).where(F.col("chunk").isin(list(numbers)))
    again = held.join(F.broadcast(photos.select("photo_id")), on="photo_id", how="left_semi")
    [chunk] = lake.ledger.plan([_wanted(model, photos=again.count())])
    passed = gate(again, chunk=chunk, table=catalog.PHOTOS, expected=chunk.photos)
    chunk = _embed(lake, chunk, again, passed, model, console=console)
    _publish(lake, chunk, gate=gate, did=did)


def _stage(
    lake: Lake, source: Chunk, model: BroadcastModel, *, gate: Gate, console: Console
) -> Chunk:
    """A bronze chunk through its gate and the model, into staging."""
    photos = lake.read(catalog.PHOTOS, chunks=(source.number, source.number))
    passed = gate(photos, chunk=source, table=catalog.PHOTOS, expected=source.photos)
    state = ChunkState.RELEASED if passed.released else ChunkState.JUDGED
    if source.state is not state:
        lake.ledger.reached(source, state)
    [chunk] = lake.ledger.plan([_wanted(model, photos=source.photos, source=source.number)])
    return _embed(lake, chunk, photos, passed, model, console=console)


def _wanted(model: BroadcastModel, *, photos: int, source: int | None = None) -> Chunk:
    return Chunk(
        0,
        "silver",
        ChunkState.PLANNED,
        weights_id=model.weights_id,
        source_from=source,
        source_to=source,
        photos=photos,
        bytes=photos * model.dimensions * np.float32().nbytes,
    )


def _embed(
    lake: Lake,
    chunk: Chunk,
    photos: DataFrame,
    passed: GateOutcome,
    model: BroadcastModel,
    *,
    console: Console,
) -> Chunk:
    """The photos that bronze's gate let through, with the model's embeddings, and the others, staged."""
    refused = passed.refusals
    if refused is not None:
        photos = photos.join(F.broadcast(refused.select("photo_id")), "photo_id", "left_anti")
    title = f"silver chunk {chunk.number}"
    with counted(lake.spark, console, title=title, photos=chunk.photos) as count:
        rows = embeddings.embeddings(photos, model, count=count)
        if refused is not None:
            rows = rows.unionByName(embeddings.refused(refused, stage="bronze"))
        lake.staging.write(chunk, "embedded", rows)
    return lake.ledger.reached(chunk, ChunkState.STAGED)


def _publish_staged(lake: Lake, chunk: Chunk, *, gate: Gate, did: LayerRun) -> None:
    """What an earlier run staged, under a number that the tables still take."""
    chunk = lake.ledger.renumbered(chunk, catalog.EMBEDDINGS, catalog.QUARANTINE)
    _publish(lake, chunk, gate=gate, did=did)


def _publish(lake: Lake, chunk: Chunk, *, gate: Gate, did: LayerRun) -> None:
    """A staged chunk to silver's tables: what passes the gate, and the rest with its reasons."""
    staged = lake.staging.read(chunk, "embedded")
    embedded, refused = staged.where("reason is null"), staged.where("reason is not null")
    reasons = counts(staged, "reason")
    kept = reasons.pop(None, 0)
    if chunk.state is not ChunkState.JUDGED:
        chunk = _judge(lake, chunk, embedded, refused_before=reasons, gate=gate)
    if lake.staging.has(chunk, "refused"):
        caught = lake.staging.read(chunk, "refused")
        refused = refused.unionByName(embeddings.refused(caught, stage="silver"))
        embedded = embedded.join(F.broadcast(caught.select("photo_id")), "photo_id", "left_anti")
        by_rule = counts(caught, "reason")
        kept -= sum(by_rule.values())
        reasons |= by_rule
    versions = {}
    if kept:
        rows = embeddings.published(embedded, weights_id=chunk.model)
        versions[catalog.EMBEDDINGS.name] = lake.append(catalog.EMBEDDINGS, rows, chunk=chunk)
        fault_points.at("silver: embeddings appended")
    rows = embeddings.quarantine(refused, weights_id=chunk.model)
    if chunk.is_replay:
        versions[catalog.QUARANTINE.name] = _replayed(lake, chunk, staged, rows)
        fault_points.at("silver: quarantine replayed")
    elif reasons:
        versions[catalog.QUARANTINE.name] = lake.append(catalog.QUARANTINE, rows, chunk=chunk)
        fault_points.at("silver: quarantine appended")
    lake.ledger.reached(chunk, ChunkState.PUBLISHED, photos=kept, versions=versions)
    lake.staging.remove(chunk)
    quarantined = sum(reasons.values())
    did.refuse(reasons)
    did.add({"in": kept + quarantined, "kept": kept, "quarantined": quarantined})


def _judge(
    lake: Lake,
    chunk: Chunk,
    embedded: DataFrame,
    *,
    refused_before: Mapping[str, int],
    gate: Gate,
) -> Chunk:
    """The verdict, fixed in staging before anything is published: a retry must not judge by other rules."""
    passed = gate(
        embeddings.published(embedded, weights_id=chunk.model),
        chunk=chunk,
        table=catalog.EMBEDDINGS,
        expected=chunk.photos - sum(refused_before.values()),
        refused_before=refused_before,
    )
    lake.staging.remove(chunk, "refused")
    if passed.refusals is not None:
        lake.staging.write(chunk, "refused", passed.refusals)
        fault_points.at("silver: refused staged")
    return lake.ledger.reached(chunk, ChunkState.JUDGED)


def _replayed(lake: Lake, chunk: Chunk, staged: DataFrame, refused: DataFrame) -> int:
    """The outcome of a replay to silver/quarantine: what is refused for the same reason stays as it was,
    the other open rows end, and new reasons get rows of their own. Returns the table's version."""
    held = embeddings.open_refusals(lake.read(catalog.QUARANTINE), weights_id=chunk.model)
    same = held.join(F.broadcast(refused), on=["photo_id", "stage", "reason"], how="left_semi")
    unchanged = F.broadcast(same.select("photo_id"))
    ended = staged.select("photo_id", F.lit(chunk.model).alias("weights_id"))
    return lake.supersede(
        catalog.QUARANTINE,
        ended.join(unchanged, on="photo_id", how="left_anti"),
        refused.join(unchanged, on="photo_id", how="left_anti"),
        keys=["photo_id", "weights_id"],
        ended_at="replayed_at",
        chunk=chunk,
    )
