"""Retiring a model: its rows leave silver and gold, while the rows that describe it stay in gold/models."""

from __future__ import annotations

from collections.abc import Mapping

from conf.identifiers import named
from gold import embedding_removal, model_versions
from lake import catalog, fault_points
from lake.chunks import ChunkPlan, ChunkState
from lake.enums import RETIRE, ModelStatus
from lake.extractor_status import extractors, mark
from lake.model_identity import ModelIdentity
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.writable_lake import WritableLake


def retire(lake: WritableLake, model: str) -> Mapping[str, int]:
    """Remove the rows of a model; return how many rows left each table. Another call finishes an interrupted
    one. The model's file stays: another model may have the same, and this one may come back.

    `model` is a text as `model_named` takes it. Raises BadInput where there are no such models or several, or
    where a chunk of another model is half published. Raises Busy.
    """
    _, weights_id = model_named(lake, model)
    embedding_removal.check_nothing_is_half_published(lake, but_of=weights_id)
    mark(lake, weights_id, ModelStatus.RETIRING)
    fault_points.at("retire: marked")
    leaving = {weights_id: _photos(lake, weights_id)}
    removed = dict(embedding_removal.remove_embeddings(lake, leaving, but_of=weights_id))
    fault_points.at("retire: departed")
    of_model = f"weights_id = '{weights_id}'"
    [chunk] = lake.ledger.plan([ChunkPlan(layer=RETIRE, weights_id=weights_id)])
    for table in (catalog.MOMENTS, catalog.QUARANTINE):
        rows = lake.read(table).where(of_model).count()
        if rows:
            lake.delete(table, of_model, chunk=chunk)
            removed[table.name] = rows
        fault_points.at(f"retire: {table.name}")
    chunks = [c for c in lake.ledger.chunks().values() if c.weights_id == weights_id]
    lake.ledger.retire([c for c in chunks if c.state is not ChunkState.RETIRED])
    fault_points.at("retire: chunks")
    mark(lake, weights_id, ModelStatus.RETIRED)
    return removed


def _photos(lake: Lake, weights_id: str) -> RowSource:
    """Return each photo (`photo_id`) of which silver or gold has a row of the model."""
    versions = model_versions.versions(lake.records(catalog.MODELS), weights_id=weights_id)
    names = [row["version"] for row in versions]
    embedded = lake.source(catalog.EMBEDDINGS).having("weights_id", [weights_id])
    projected = lake.source(catalog.FEATURES).having("model_version", names)
    if embedded.are_few and projected.are_few:
        found = embedded.distinct("photo_id") | projected.distinct("photo_id")
        return lake.values("photo_id", sorted(photo_id for (photo_id,) in found))
    frames = [rows.frame().select("photo_id") for rows in (embedded, projected)]
    return RowSource(lambda: frames[0].unionByName(frames[1]))


def model_named(lake: Lake, text: str) -> tuple[str, str]:
    """Return the extractor and the weights_id of the model that a text names.

    `text` is the name of an extractor that has one model only, a version of an extractor, or a weights_id or
    the beginning of one. Raises BadInput where there is no such model, or several.
    """
    rows = extractors(lake)
    by_id = {row["weights_id"]: row for row in rows}
    same = [row for row in rows if text in (row["extractor"], row["version"])]
    held = sorted(f"{row['version']} ({ModelIdentity.of(row)})" for row in rows)
    known = ", ".join(held) or "none"
    if len(same) != 1:
        same = [by_id[named(text, by_id, what="model", otherwise=f"the lake has {known}.")]]
    return same[0]["extractor"], same[0]["weights_id"]
