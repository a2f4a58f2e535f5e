"""The gold layer at work: moments, a PCA version, features, and the gate before their publication."""

from __future__ import annotations

import numpy as np
from pyspark.sql import functions as F
from rich.console import Console

from conf.settings import Settings
from gold import features, models, pca
from gold.models import PcaVersion
from gold.moments import Moments, fold, mean
from lake import catalog, faults
from lake.chunks import Chunk, State, not_yet_taken, unfinished
from lake.gates import Gate
from lake.journal import LayerRun
from lake.lake import Lake
from lake.progress import counted


def project(
    lake: Lake,
    weights_id: str,
    settings: Settings,
    *,
    gate: Gate,
    console: Console,
    did: LayerRun,
) -> None:
    """Projects the embeddings that have no features yet, with the champion or, where due, a new version.

    What an earlier run left staged comes first. Raises Blocked.
    """
    chunks = lake.ledger.chunks().values()
    for chunk in unfinished(chunks, layer="gold", weights_id=weights_id):
        _publish(lake, lake.ledger.renumbered(chunk, catalog.FEATURES), gate=gate, did=did)
    new = not_yet_taken(chunks, source="silver", layer="gold", weights_id=weights_id)
    if not new:
        return
    through = new[-1].number
    moments = folded(lake, weights_id=weights_id, through=through)
    champion = models.champion(lake.read(catalog.MODELS), weights_id=weights_id)
    if champion is None and moments.n < 2:
        did.notes.append("one embedding is too few for a PCA: it waits for more.")
        return
    reason = models.reason_to_refit(champion, embeddings=moments.n, growth=settings.refit.growth)
    version = champion
    if reason or version is None:
        version = PcaVersion(
            version=models.next_version(lake.read(catalog.MODELS), weights_id=weights_id),
            weights_id=weights_id,
            through_chunk=through,
            photos=moments.n,
            reason=reason or "first",
            supersedes=champion.version if champion else None,
            pca=pca.fit(moments, **settings.pca.model_dump()),
        )
    photos = sum(c.photos for c in new) if version is champion else moments.n
    wanted = Chunk(
        0,
        "gold",
        State.PLANNED,
        weights_id=weights_id,
        source_from=new[0].number if version is champion else 1,
        source_to=through,
        photos=photos,
        bytes=photos * version.pca.components * np.float32().nbytes,
    )
    [chunk] = lake.ledger.plan([wanted])
    _stage(lake, chunk, version, is_new=version is not champion, console=console)
    _publish(lake, lake.ledger.reached(chunk, State.STAGED), gate=gate, did=did)
    did.notes.append(_told(version, is_new=version is not champion))


def _told(version: PcaVersion, *, is_new: bool) -> str:
    fitted = f"fitted ({version.reason})" if is_new else "kept as champion"
    return (
        f"{version.version} {fitted}: {version.pca.components} components explain "
        f"{version.pca.explained_variance:.1%} of the variance of {version.photos:,} embeddings."
    )


def folded(lake: Lake, *, weights_id: str, through: int) -> Moments:
    """gold/moments brought up to a silver chunk; computed anew where they disagree with silver."""
    embeddings = lake.read(catalog.EMBEDDINGS).where(F.col("weights_id") == weights_id)
    row = lake.read(catalog.MOMENTS).where(F.col("weights_id") == weights_id).first()
    upto = row["through_chunk"] if row else 0
    held = Moments.read(row.asDict()) if row else None
    if held and held.n != embeddings.where(F.col("chunk") <= upto).count():
        upto, held = 0, None
    if held and upto >= through:
        return held
    new = embeddings.where(F.col("chunk").between(upto + 1, through))
    if held is None:
        oldest = new.agg(F.min("chunk").alias("chunk"))
        held = Moments.none(mean(new.join(F.broadcast(oldest), "chunk", "left_semi")))
    held += fold(new, held.shift)
    rows = lake.rows(catalog.MOMENTS, [held.row(weights_id=weights_id, through_chunk=through)])
    by = Chunk(through, "gold", State.PLANNED)
    lake.upsert(catalog.MOMENTS, rows, keys=["weights_id"], chunk=by)
    faults.at("gold: moments folded")
    return held


def _stage(
    lake: Lake, chunk: Chunk, version: PcaVersion, *, is_new: bool, console: Console
) -> None:
    """The features of a chunk and, where it is new, the row of their version, into staging."""
    source = lake.read(catalog.EMBEDDINGS, chunks=chunk.sources).where(
        F.col("weights_id") == chunk.model
    )
    title = f"gold chunk {chunk.number}"
    with counted(lake.spark, console, title=title, photos=chunk.photos) as count:
        lake.staging.write(chunk, "features", features.features(source, version, count=count))
    faults.at("gold: features staged")
    if is_new:
        lake.staging.write(chunk, "model", lake.rows(catalog.MODELS, [version.row()]))


def _publish(lake: Lake, chunk: Chunk, *, gate: Gate, did: LayerRun) -> None:
    """Staged features through the gate to readers. A new champion's row comes last: it publishes them."""
    projected = lake.staging.read(chunk, "features")
    is_new = lake.staging.has(chunk, "model")
    version = lake.staging.read(chunk, "model") if is_new else None
    if chunk.state is not State.JUDGED:
        gate(
            projected,
            chunk=chunk,
            table=catalog.FEATURES,
            expected=chunk.photos,
            staged_models=version,
        )
        if version is not None:
            gate(version, chunk=chunk, table=catalog.MODELS, expected=1)
        chunk = lake.ledger.reached(chunk, State.JUDGED)
    versions = {catalog.FEATURES.name: lake.append(catalog.FEATURES, projected, chunk=chunk)}
    faults.at("gold: features appended")
    if version is not None:
        rows = models.promotion(version, lake.read(catalog.MODELS))
        versions[catalog.MODELS.name] = lake.upsert(
            catalog.MODELS, rows, keys=["version"], chunk=chunk
        )
        faults.at("gold: version promoted")
    lake.ledger.reached(chunk, State.PUBLISHED, versions=versions)
    lake.staging.remove(chunk)
    did.add({"in": chunk.photos, "kept": chunk.photos})


def release(lake: Lake, chunk: Chunk, *, did: LayerRun) -> None:
    """Drops a blocked chunk. Its photos stay in silver, and the next version that is fitted projects them."""
    lake.ledger.reached(chunk, State.RELEASED)
    lake.staging.remove(chunk)
    did.add({"in": chunk.photos, "kept": 0})
    did.notes.append(f"gold chunk {chunk.number} is dropped; the next version projects its photos.")
