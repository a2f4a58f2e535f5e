"""The silver layer at work: bronze's chunks through the gate and the model, and through silver's own gate."""

from __future__ import annotations

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from lake import catalog, faults
from lake.chunks import Chunk, State, not_yet_taken, unfinished
from lake.gates import Gate
from lake.journal import LayerRun
from lake.lake import Lake, counts
from lake.progress import counted
from silver import embeddings
from silver.embeddings import BroadcastModel


def embed(
    lake: Lake, model: BroadcastModel, *, gate: Gate, console: Console, did: LayerRun
) -> None:
    """Embeds the photos that the model has not seen, after what an earlier run left staged.

    Raises Blocked at the first chunk that a gate stops.
    """
    chunks = lake.ledger.chunks().values()
    for chunk in unfinished(chunks, layer="silver", weights_id=model.weights_id):
        chunk = lake.ledger.renumbered(chunk, catalog.EMBEDDINGS, catalog.QUARANTINE)
        _publish(lake, chunk, gate=gate, did=did)
    for source in not_yet_taken(
        chunks, source="bronze", layer="silver", weights_id=model.weights_id
    ):
        chunk = _stage(lake, source, model, gate=gate, console=console)
        _publish(lake, chunk, gate=gate, did=did)


def _stage(
    lake: Lake, source: Chunk, model: BroadcastModel, *, gate: Gate, console: Console
) -> Chunk:
    """A bronze chunk through its gate and the model, into staging."""
    photos = lake.read(catalog.PHOTOS, chunks=(source.number, source.number))
    facts = photos.drop("content")
    passed = gate(facts, "bronze_photos", chunk=source, table=catalog.PHOTOS)
    if source.state is not State.JUDGED:
        lake.ledger.reached(source, State.JUDGED)
    wanted = Chunk(
        0,
        "silver",
        State.PLANNED,
        weights_id=model.weights_id,
        source_from=source.number,
        source_to=source.number,
        photos=source.photos,
        bytes=source.photos * model.dimensions * np.float32().nbytes,
    )
    [chunk] = lake.ledger.plan([wanted])
    if passed.refused:
        refused = facts.withColumn("reason", passed.reason).where("reason is not null")
        photos = photos.join(F.broadcast(refused.select("photo_id")), "photo_id", "left_anti")
    title = f"silver chunk {chunk.number}"
    with counted(lake.spark, console, title=title, photos=source.photos) as count:
        rows = embeddings.embeddings(photos, model, count=count)
        if passed.refused:
            rows = rows.unionByName(embeddings.refused(refused, stage="bronze"))
        lake.staging.write(chunk, "embedded", rows)
    return lake.ledger.reached(chunk, State.STAGED)


def _publish(lake: Lake, chunk: Chunk, *, gate: Gate, did: LayerRun) -> None:
    """A staged chunk to silver's tables: what passes the gate, and the rest with its reasons."""
    staged = lake.staging.read(chunk, "embedded")
    embedded, refused = staged.where("reason is null"), staged.where("reason is not null")
    reasons = counts(staged, "reason")
    kept = reasons.pop(None, 0)
    if chunk.state is not State.JUDGED:
        chunk = _judge(lake, chunk, embedded, refused_before=sum(reasons.values()), gate=gate)
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
        faults.at("silver: embeddings appended")
    if reasons:
        rows = embeddings.quarantine(refused, weights_id=chunk.model)
        versions[catalog.QUARANTINE.name] = lake.append(catalog.QUARANTINE, rows, chunk=chunk)
        faults.at("silver: quarantine appended")
    lake.ledger.reached(chunk, State.PUBLISHED, photos=kept, versions=versions)
    lake.staging.remove(chunk)
    quarantined = sum(reasons.values())
    did.refuse(reasons)
    did.add({"in": kept + quarantined, "kept": kept, "quarantined": quarantined})


def _judge(
    lake: Lake, chunk: Chunk, embedded: DataFrame, *, refused_before: int, gate: Gate
) -> Chunk:
    """The verdict, fixed in staging before anything is published: a retry must not judge by other rules."""
    rows = embeddings.narrow(embedded)
    passed = gate(
        rows,
        "silver_embeddings",
        chunk=chunk,
        table=catalog.EMBEDDINGS,
        refused_before=refused_before,
    )
    lake.staging.remove(chunk, "refused")
    if passed.refused:
        caught = rows.withColumn("reason", passed.reason).where("reason is not null")
        lake.staging.write(chunk, "refused", caught)
        faults.at("silver: refused staged")
    return lake.ledger.reached(chunk, State.JUDGED)
