"""Retiring a model: its rows leave silver and gold; what it was, and that it was, stays in gold/models."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.errors import BadInput
from lake import catalog, faults
from lake.chunks import Chunk, State
from lake.lake import Lake

CONVERTED, RETIRING, RETIRED = "converted", "retiring", "retired"
"""Of an extractor's row in gold/models. A model that is `retiring` is used by nobody, and to be finished."""

LAYER = "retire"


def retire(lake: Lake, model: str) -> Mapping[str, int]:
    """Removes the rows of a model: how many from each table. Calling it again finishes what was cut short.

    `model` is its weights_id, the beginning of it, or an extractor's name where that has one model only.
    Raises BadInput (no such model, several; another model's chunk is half published), Busy.
    """
    weights_id = _weights_id(lake, model)
    _check_nothing_is_half_published(lake, but_of=weights_id)
    mark(lake, weights_id, RETIRING)
    faults.at("retire: marked")
    removed = {}
    wanted = Chunk(0, LAYER, State.PLANNED, weights_id=weights_id)
    [chunk] = lake.ledger.plan([wanted])
    for table, where in _conditions(lake, weights_id).items():
        rows = lake.read(table).where(where).count()
        if rows:
            lake.delete(table, where, chunk=chunk)
            removed[table.name] = rows
        faults.at(f"retire: {table.name}")
    own = [c for c in lake.ledger.chunks().values() if c.weights_id == weights_id]
    lake.ledger.retire([c for c in own if c.state is not State.RETIRED])
    faults.at("retire: chunks")
    mark(lake, weights_id, RETIRED)
    return removed


def _check_nothing_is_half_published(lake: Lake, *, but_of: str) -> None:
    """Of such a chunk one table may have the rows and another not: no later number may go before them."""
    for chunk in lake.ledger.chunks().values():
        if chunk.is_unfinished and chunk.state is State.JUDGED and chunk.weights_id != but_of:
            raise BadInput(
                f"{chunk.layer} chunk {chunk.number} is half published: finish it first with "
                f"run.py --layer {chunk.layer}."
            )


def _conditions(lake: Lake, weights_id: str) -> Mapping[catalog.Table, str]:
    """Which rows are the model's, by table; nothing personal stands in them."""
    own = f"weights_id = '{weights_id}'"
    pcas = lake.read(catalog.MODELS).where(f"kind = 'pca' and {own}").select("version").collect()
    versions = ", ".join(f"'{row['version']}'" for row in pcas)
    features = {catalog.FEATURES: f"model_version in ({versions})"} if pcas else {}
    return {**features, catalog.MOMENTS: own, catalog.EMBEDDINGS: own, catalog.QUARANTINE: own}


def _weights_id(lake: Lake, model: str) -> str:
    rows = extractors(lake).select("extractor", "weights_id").collect()
    found = {r[1] for r in rows if r[0] == model or (model and r[1].startswith(model))}
    known = ", ".join(sorted(f"{r[0]} {r[1][:12]}" for r in rows)) or "none"
    if not found:
        raise BadInput(f"The lake has no model {model}; it has {known}.")
    if len(found) > 1:
        raise BadInput(f"{model} names several models; give the number of one of {known}.")
    return str(found.pop())


def extractors(lake: Lake) -> DataFrame:
    """The rows of gold/models about extractors."""
    return lake.read(catalog.MODELS).where("kind = 'extractor'")


def mark(lake: Lake, weights_id: str, status: str) -> None:
    """Gives the extractor's row that status. Its PCA versions are retired, whatever it is."""
    rows = lake.read(catalog.MODELS).where(F.col("weights_id") == weights_id)
    new = F.when(F.col("kind") == "extractor", status).otherwise(RETIRED)
    nobody = Chunk(0, LAYER, State.PLANNED)
    lake.upsert(catalog.MODELS, rows.withColumn("status", new), keys=["version"], chunk=nobody)
