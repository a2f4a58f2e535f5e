"""The gold layer at work: features of what is new, their drift, the gate, and a new PCA version where due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from conf.errors import BadInput
from conf.settings import Settings
from gold import drift, features, model_versions, refit
from gold.model_versions import PcaVersion
from lake import catalog, fault_points, metric_names
from lake.chunks import Chunk, ChunkState, not_yet_taken, published, unfinished
from lake.gate_protocol import Gate
from lake.lake import Lake
from lake.progress_bar import counted
from lake.run_journal import LayerRun


def project(
    lake: Lake,
    weights_id: str,
    settings: Settings,
    *,
    gate: Gate,
    console: Console,
    did: LayerRun,
    reason: str | None = None,
) -> None:
    """Projects the embeddings that have no features yet with the champion; then fits anew, where due.

    With a `reason` a fit is due in any case. What an earlier run left staged comes first. Raises Blocked,
    Inconsistent (values that are not finite).
    """
    finish(lake, weights_id, gate=gate, did=did)
    embedded = published_embeddings(lake, weights_id)
    if not embedded:
        return
    champion = model_versions.champion(lake.read(catalog.MODELS), weights_id=weights_id)
    if champion is not None:
        catch_up(lake, champion, gate=gate, console=console, did=did)
    through = embedded[-1].number
    if reason is None and _was_released(lake, weights_id, through=through):
        return
    due = (
        refit.Due(reason)
        if reason
        else refit.due(lake, champion, settings.refit, published=embedded)
    )
    if due is None:
        return
    moments = refit.brought_up(lake, weights_id=weights_id, through=through)
    if moments.n < 2:
        did.notes.append("one embedding is too few for a PCA: it waits for more.")
        return
    version = refit.fitted(
        lake,
        moments,
        settings,
        weights_id=weights_id,
        through=through,
        due=due,
        champion=champion,
    )
    is_champion = settings.refit.promote or champion is None
    chunk = _planned(lake, version, embedded, photos=moments.n)
    staged = _stage(lake, chunk, version, console=console)
    _stage_version(lake, chunk, version, staged, is_champion=is_champion)
    _publish(lake, lake.ledger.reached(chunk, ChunkState.STAGED), gate=gate, did=did)
    did.notes.append(_fitted(version, is_champion=is_champion))


def published_embeddings(lake: Lake, weights_id: str) -> list[Chunk]:
    """A model's silver chunks with photos that readers see, oldest first."""
    chunks = lake.ledger.chunks().values()
    return [c for c in published(chunks, layer="silver", weights_id=weights_id) if c.photos]


def _was_released(lake: Lake, weights_id: str, *, through: int) -> bool:
    """Whether somebody dropped what was made of these embeddings: nothing is fitted until more came."""
    return any(
        c.layer == "gold"
        and c.weights_id == weights_id
        and c.state is ChunkState.RELEASED
        and c.sources[1] == through
        for c in lake.ledger.chunks().values()
    )


def catch_up(
    lake: Lake, version: PcaVersion, *, gate: Gate, console: Console, did: LayerRun
) -> None:
    """Features of a version for the embeddings that have none of it; moments follow. Raises Blocked."""
    new = not_yet_taken(
        lake.ledger.chunks().values(),
        source="silver",
        layer="gold",
        weights_id=version.weights_id,
        model_version=version.version,
    )
    if not new:
        return
    refit.brought_up(lake, weights_id=version.weights_id, through=new[-1].number)
    chunk = _planned(lake, version, new, photos=sum(c.photos for c in new))
    _stage(lake, chunk, version, console=console)
    _publish(lake, lake.ledger.reached(chunk, ChunkState.STAGED), gate=gate, did=did)
    did.notes.append(
        f"{version.version} kept: its {version.pca.components} components explain "
        f"{version.pca.explained_variance:.1%} of the variance of the {version.photos:,} embeddings that it "
        f"was fitted on."
    )


def _fitted(version: PcaVersion, *, is_champion: bool) -> str:
    told = (
        f"{version.version} fitted ({version.reason}): {version.pca.components} components explain "
        f"{version.pca.explained_variance:.1%} of the variance of {version.photos:,} embeddings"
    )
    if "explained_before" in version.metrics:
        told += f", those of {version.supersedes} {version.metrics['explained_before']:.1%}"
    if not is_champion:
        told += (
            f". It is a candidate: run.py models --promote {version.version} makes it the champion"
        )
    return f"{told}."


def _planned(lake: Lake, version: PcaVersion, sources: Sequence[Chunk], *, photos: int) -> Chunk:
    wanted = Chunk(
        0,
        "gold",
        ChunkState.PLANNED,
        weights_id=version.weights_id,
        model_version=version.version,
        source_from=sources[0].number,
        source_to=sources[-1].number,
        photos=photos,
        bytes=photos * version.pca.components * np.float32().nbytes,
    )
    [chunk] = lake.ledger.plan([wanted])
    return chunk


def _stage(lake: Lake, chunk: Chunk, version: PcaVersion, *, console: Console) -> DataFrame:
    """The features of a chunk into staging; only its own embeddings are read."""
    source = refit.embeddings(lake, chunk.model, *chunk.sources)
    title = f"gold chunk {chunk.number}"
    with counted(lake.spark, console, title=title, photos=chunk.photos) as count:
        rows = features.features(source, version.pca, version=version.version, count=count)
        lake.staging.write(chunk, "features", rows)
    fault_points.at("gold: features staged")
    return lake.staging.read(chunk, "features")


def _stage_version(
    lake: Lake, chunk: Chunk, version: PcaVersion, staged: DataFrame, *, is_champion: bool
) -> None:
    """The row of a new version into staging, with what later chunks are compared with."""
    sample = drift.Sample.of(staged, components=version.pca.components)
    reference = drift.Reference.of(sample, photos=version.photos, variance=version.pca.variance)
    status = model_versions.CHAMPION if is_champion else model_versions.CANDIDATE
    row = replace(version, reference=reference).row(status=status)
    lake.staging.write(chunk, "model", lake.rows(catalog.MODELS, [row]))


def _publish(lake: Lake, chunk: Chunk, *, gate: Gate, did: LayerRun) -> None:
    """Staged features through the gate to readers. A new version's row comes last: it publishes them."""
    projected = lake.staging.read(chunk, "features")
    is_new = lake.staging.has(chunk, "model")
    version = lake.staging.read(chunk, "model") if is_new else None
    if chunk.state is not ChunkState.JUDGED:
        if version is None:
            _measure(lake, chunk, projected, did=did)
        gate(
            projected.drop("brightness", "residual"),
            chunk=chunk,
            table=catalog.FEATURES,
            expected=chunk.photos,
            staged_models=version,
        )
        if version is not None:
            gate(version, chunk=chunk, table=catalog.MODELS, expected=1)
        chunk = lake.ledger.reached(chunk, ChunkState.JUDGED)
    versions = {catalog.FEATURES.name: lake.append(catalog.FEATURES, projected, chunk=chunk)}
    fault_points.at("gold: features appended")
    if version is not None:
        versions[catalog.MODELS.name] = publish_version(lake, version, chunk=chunk)
    lake.ledger.reached(chunk, ChunkState.PUBLISHED, versions=versions)
    lake.staging.remove(chunk)
    did.add({"in": chunk.photos, "kept": chunk.photos})


def publish_version(lake: Lake, version: DataFrame, *, chunk: Chunk) -> int:
    """The row of a version to gold/models, in one commit with that of the champion that it follows, if it is
    to be one. Returns the table's version."""
    rows = model_versions.with_champion(lake.read(catalog.MODELS), version)
    made = lake.upsert(catalog.MODELS, rows, keys=["version"], chunk=chunk)
    fault_points.at("gold: version promoted")
    return made


def promote(lake: Lake, name: str, *, gate: Gate, console: Console, did: LayerRun) -> None:
    """Makes a version the champion of its model and kind; a PCA after it has features of all its embeddings.

    Raises BadInput (no such version, parameters wiped, its model is retired), Blocked.
    """
    version = model_versions.version(lake.read(catalog.MODELS), name)
    if not published_embeddings(lake, version.weights_id):
        raise BadInput(
            f"{name} belongs to a model that has no embeddings any more; name a version of another."
        )
    if isinstance(version, PcaVersion):
        finish(lake, version.weights_id, gate=gate, did=did)
        catch_up(lake, version, gate=gate, console=console, did=did)
    row = lake.read(catalog.MODELS).where(F.col("version") == name)
    champion = row.withColumn("status", F.lit(model_versions.CHAMPION))
    publish_version(lake, champion, chunk=Chunk(0, "gold", ChunkState.PLANNED))
    did.notes.append(f"{name} is the champion of its model: readers get it.")


def finish(lake: Lake, weights_id: str, *, gate: Gate, did: LayerRun) -> None:
    """Publishes what an earlier run left staged. Raises Blocked."""
    for chunk in unfinished(lake.ledger.chunks().values(), layer="gold", weights_id=weights_id):
        _publish(lake, lake.ledger.renumbered(chunk, catalog.FEATURES), gate=gate, did=did)


def recompute(lake: Lake, weights_id: str, *, did: LayerRun) -> None:
    """Takes a model's moments anew from its embeddings, and notes how far the kept ones were off.

    Raises BadInput where it has no embeddings.
    """
    embedded = published_embeddings(lake, weights_id)
    if not embedded:
        raise BadInput(
            "This model has no embeddings in the lake: there are no moments to recompute."
        )
    off = refit.disagreement(lake, weights_id=weights_id, through=embedded[-1].number)
    did.add({"in": sum(c.photos for c in embedded)})
    did.notes.append(
        "the moments were of other embeddings, and are replaced."
        if off is None
        else f"the moments kept were off by {off:.0e} of the variance, and are replaced."
    )


def _measure(lake: Lake, chunk: Chunk, projected: DataFrame, *, did: LayerRun) -> None:
    """The drift of a chunk from what its version was fitted on, to ops/drift; its gate judges it there."""
    assert chunk.model_version is not None
    version = model_versions.version(lake.read(catalog.MODELS), chunk.model_version)
    assert isinstance(version, PcaVersion)
    assert version.reference is not None
    sample = drift.Sample.of(projected, components=version.pca.components)
    found = drift.drift(sample, version.reference)
    for name, value in found.largest.items():
        did.measure(f"{metric_names.DRIFT}{name}", value)
    row = {
        **vars(found),
        "weights_id": chunk.weights_id,
        "model_version": chunk.model_version,
        "photos": chunk.photos,
        "measured_at": datetime.now(UTC),
        "run_id": lake.run.run_id,
        "chunk": chunk.number,
    }
    lake.record(catalog.DRIFT, [row], layer="gold", chunk=chunk.number)


def release(lake: Lake, chunk: Chunk, *, did: LayerRun) -> None:
    """Drops a blocked chunk. Its photos stay in silver, and the next version that is fitted projects them."""
    lake.ledger.reached(chunk, ChunkState.RELEASED)
    lake.staging.remove(chunk)
    did.add({"in": chunk.photos, "kept": 0})
    did.notes.append(f"gold chunk {chunk.number} is dropped; the next version projects its photos.")
