"""The gold layer: features of new embeddings, their drift, the gate, and a new PCA version when due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow.compute as pc

from gold import drift, feature_rows, model_versions, moments_table, pca_refit
from gold.model_versions import PcaVersion, Rows
from lake import catalog, fault_points, measured_values, metric_names
from lake.chunks import Chunk, ChunkPlan, ChunkState, NoChunk, not_yet_taken, published
from lake.context import Context
from lake.enums import GOLD, SILVER, ModelStatus
from lake.progress_bar import counted
from lake.publication import ChunkLayer, Contents, Publication, TableCommit
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.small_tables import arrow_rows
from lake.writable_lake import WritableLake

FEATURES, MODEL = "features", "model"
"""The staged parts of a gold chunk: its features (`features.STAGED`), and the row of a new PCA version."""


class GoldChunks(ChunkLayer):
    """Gold's chunks: features, and last the row of gold/models that publishes a new version's features."""

    name = GOLD
    tables = (catalog.FEATURES,)
    is_judged = True

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lake = context.lake

    def judge(self, chunk: Chunk) -> None:
        """Measures a staged chunk's drift, and judges its features and its new version. Raises Blocked."""
        gate = self._context.gate
        projected = self._lake.staging.source(chunk, FEATURES)
        version = self._staged_version(chunk)
        if version is None:
            _measure_drift(self._context, chunk, projected)
        gate(
            feature_rows.without_measures(projected),
            chunk=chunk,
            table=catalog.FEATURES,
            expected=chunk.photos,
            staged_models=version,
        )
        if version is not None:
            gate(
                self._lake.staging.source(chunk, MODEL, of=catalog.MODELS),
                chunk=chunk,
                table=catalog.MODELS,
                expected=1,
            )

    def parts(self, chunk: Chunk) -> Sequence[str]:
        """The features, and the row of a version that gold/models doesn't have yet."""
        return [FEATURES] if self._has_version(chunk) else [FEATURES, MODEL]

    def published_photos(self, chunk: Chunk) -> int | None:
        """The features of a chunk, where gold/models has their version: its row is the last commit."""
        return chunk.photos if self._has_version(chunk) else None

    def _has_version(self, chunk: Chunk) -> bool:
        of_chunk = pc.field("version") == chunk.model_version
        return bool(self._lake.records(catalog.MODELS, columns=["version"], where=of_chunk))

    def contents(self, chunk: Chunk) -> Contents:
        """The commits of a staged chunk after its verdict. A new version's row publishes its features."""
        lake = self._lake
        projected = lake.staging.read(chunk, FEATURES)
        commits = [lake.append_commit(catalog.FEATURES, projected, chunk=chunk)]
        version = self._staged_version(chunk)
        if version is not None:
            [row] = version
            commits.append(
                TableCommit(catalog.MODELS, lambda: publish_version(lake, row, chunk=chunk))
            )
        return Contents(
            commits, photos=chunk.photos, counts={"in": chunk.photos, "kept": chunk.photos}
        )

    def _staged_version(self, chunk: Chunk) -> Rows | None:
        """The one row of a new version; None for a chunk that brings no new version."""
        staging = self._lake.staging
        return staging.rows(chunk, MODEL) if staging.has(chunk, MODEL) else None


def project(context: Context, weights_id: str, *, reason: str | None = None) -> None:
    """Projects the embeddings that have no features yet with the champion; then fits a new PCA, where due.

    With a `reason` a fit is due in any case. What an earlier run left staged comes first. Raises Blocked,
    Inconsistent (an embedding holds values that are not finite).
    """
    lake, settings = context.lake, context.settings
    finish(context, weights_id)
    embedded = published_embeddings(lake, weights_id)
    if not embedded:
        return
    champion = model_versions.champion(lake.records(catalog.MODELS), weights_id=weights_id)
    if champion is not None:
        catch_up(context, champion)
    through = embedded[-1].number
    if reason is None and _was_released(lake, weights_id, through=through):
        return
    due = (
        pca_refit.Due(reason)
        if reason
        else pca_refit.due(lake, champion, settings.refit, published=embedded)
    )
    if due is None:
        moments_table.follow(lake, embedded, weights_id=weights_id)
        return
    moments = moments_table.bring_up(lake, weights_id=weights_id, through=through)
    if moments.n < 2:
        context.did.notes.append("one embedding is too few for a PCA: it waits for more.")
        return
    version = pca_refit.fitted(
        lake,
        moments,
        settings,
        weights_id=weights_id,
        through=through,
        due=due,
        champion=champion,
    )
    is_champion = settings.refit.promote or champion is None
    _publish_new(context, version, embedded, is_champion=is_champion)


def _publish_new(
    context: Context, version: PcaVersion, sources: Sequence[Chunk], *, is_champion: bool
) -> None:
    """Publishes a new version with the features of all embeddings. Raises Blocked."""

    def stage(chunk: Chunk) -> None:
        staged = _stage_features(context, version, chunk)
        _stage_version(context.lake, version, chunk, staged, is_champion=is_champion)

    plan = _plan(version, sources, photos=version.photos)
    Publication(context.lake, GoldChunks(context), context.did).run(plan, stage)
    context.did.notes.append(_fit_note(version, is_champion=is_champion))


def published_embeddings(lake: Lake, weights_id: str) -> list[Chunk]:
    """A model's silver chunks with photos that readers see, oldest first."""
    chunks = lake.ledger.chunks().values()
    return [c for c in published(chunks, layer=SILVER, weights_id=weights_id) if c.photos]


def _was_released(lake: Lake, weights_id: str, *, through: int) -> bool:
    """Whether somebody dropped the features of these embeddings: nothing is fitted until more come."""
    return any(
        c.layer == GOLD
        and c.weights_id == weights_id
        and c.state is ChunkState.RELEASED
        and c.sources[1] == through
        for c in lake.ledger.chunks().values()
    )


def catch_up(context: Context, version: PcaVersion) -> None:
    """Publishes features of a version for the embeddings that have none of it. Raises Blocked, Inconsistent
    (embeddings differ in length, or are not finite)."""
    new = not_yet_taken(
        context.lake.ledger.chunks().values(),
        source=SILVER,
        layer=GOLD,
        weights_id=version.weights_id,
        model_version=version.version,
    )
    if not new:
        return
    plan = _plan(version, new, photos=sum(c.photos for c in new))

    def stage(chunk: Chunk) -> None:
        _stage_features(context, version, chunk)

    Publication(context.lake, GoldChunks(context), context.did).run(plan, stage)
    context.did.notes.append(
        f"{version.version} kept: its {version.pca.components} components explain "
        f"{version.pca.explained_variance:.1%} of the variance of the {version.photos:,} embeddings that it "
        f"was fitted on."
    )


def _fit_note(version: PcaVersion, *, is_champion: bool) -> str:
    note = (
        f"{version.version} fitted ({version.reason}): {version.pca.components} components explain "
        f"{version.pca.explained_variance:.1%} of the variance of {version.photos:,} embeddings"
    )
    if "explained_before" in version.metrics:
        note += f", those of {version.supersedes} {version.metrics['explained_before']:.1%}"
    if not is_champion:
        note += (
            f". It is a candidate: run.py models --promote {version.version} makes it the champion"
        )
    return f"{note}."


def _plan(version: PcaVersion, sources: Sequence[Chunk], *, photos: int) -> ChunkPlan:
    return ChunkPlan(
        layer=GOLD,
        weights_id=version.weights_id,
        model_version=version.version,
        source_from=sources[0].number,
        source_to=sources[-1].number,
        photos=photos,
        bytes=photos * version.pca.components * np.float32().nbytes,
    )


def _stage_features(context: Context, version: PcaVersion, chunk: Chunk) -> RowSource:
    """Stages the features of a chunk, and returns them. Only the chunk's own embeddings are read."""
    lake = context.lake
    source = moments_table.embeddings(lake, chunk.model, *chunk.sources)
    title = f"gold chunk {chunk.number}"
    counting = counted(lake.spark, context.console, title=title, photos=chunk.photos)
    with counting as count, moments_table.refused(chunk.model):
        rows = feature_rows.features(source, version.pca, version=version.version, count=count)
        lake.staging.write_source(chunk, FEATURES, rows)
    fault_points.at("gold: features staged")
    return lake.staging.source(chunk, FEATURES)


def _stage_version(
    lake: WritableLake, version: PcaVersion, chunk: Chunk, staged: RowSource, *, is_champion: bool
) -> None:
    """Stages the row of a new version, with the reference that later chunks are compared with."""
    sample = drift.Sample.of(staged, components=version.pca.components)
    reference = drift.Reference.of(sample, photos=version.photos, variance=version.pca.variance)
    status = ModelStatus.CHAMPION if is_champion else ModelStatus.CANDIDATE
    row = replace(version, reference=reference).row(status=status)
    lake.staging.write_rows(chunk, MODEL, arrow_rows(catalog.MODELS, [row]))


def publish_version(
    lake: WritableLake, version: Mapping[str, Any], *, chunk: Chunk | NoChunk
) -> int:
    """Writes the row of a version to gold/models, in one commit with the row of the champion that it follows,
    if it is to be one. Returns the version of the table."""
    rows = model_versions.with_champion(lake.records(catalog.MODELS), [version])
    return lake.put(catalog.MODELS, rows, keys=["version"], chunk=chunk)


def finish(context: Context, weights_id: str) -> None:
    """Publishes what an earlier run left staged. Raises Blocked."""
    Publication(context.lake, GoldChunks(context), context.did).finish(weights_id=weights_id)


def _measure_drift(context: Context, chunk: Chunk, projected: RowSource) -> None:
    """Records in ops/drift how far a chunk is from what its version was fitted on, for its gate to judge.

    A chunk of few photos is not measured (`lake.measured_values.FEWEST`).
    """
    lake = context.lake
    if chunk.photos < measured_values.FEWEST:
        return
    assert chunk.model_version is not None
    version = model_versions.version(lake.records(catalog.MODELS), chunk.model_version)
    assert isinstance(version, PcaVersion)
    assert version.reference is not None
    sample = drift.Sample.of(projected, components=version.pca.components)
    found = drift.drift(sample, version.reference)
    for name, value in found.largest.items():
        if not np.isfinite(value):  # the gate blocks the chunk for it
            continue
        context.did.measure(f"{metric_names.DRIFT}{name}", value)
    row = {
        **vars(found),
        "weights_id": chunk.weights_id,
        "model_version": chunk.model_version,
        "photos": chunk.photos,
        "measured_at": datetime.now(UTC),
        "run_id": lake.run.run_id,
        "chunk": chunk.number,
    }
    lake.record(catalog.DRIFT, [row], layer=GOLD, chunk=chunk.number)


def release(context: Context, chunk: Chunk) -> None:
    """Drops a blocked chunk. Its photos stay in silver, and the next version that is fitted projects them."""
    lake = context.lake
    lake.ledger.reached(chunk, ChunkState.RELEASED)
    lake.staging.remove(chunk)
    context.did.add({"in": chunk.photos, "kept": 0})
    context.did.notes.append(
        f"gold chunk {chunk.number} is dropped; the next PCA version makes features of its photos."
    )
