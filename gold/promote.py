"""What people change in gold by hand: which version readers get, and moments that are taken anew."""

from __future__ import annotations

import pyarrow.compute as pc

from conf.errors import BadInput
from gold import model_versions, moments_table
from gold.gold_layer import catch_up, finish, publish_version, published_embeddings
from gold.model_versions import PcaVersion
from lake import catalog
from lake.chunks import NoChunk
from lake.context import Context
from lake.enums import GOLD, ModelStatus


def promote(context: Context, name: str) -> None:
    """Makes a version the champion of its model and kind; a PCA has features of all its embeddings then.

    Raises BadInput (there is no such version, its parameters were wiped, its model is retired), Blocked.
    """
    lake = context.lake
    version = model_versions.version(lake.records(catalog.MODELS), name)
    if not published_embeddings(lake, version.weights_id):
        raise BadInput(
            f"{name} belongs to a model that has no embeddings any more; name a version of another."
        )
    if isinstance(version, PcaVersion):
        finish(context, version.weights_id)
        catch_up(context, version)
    [row] = lake.records(catalog.MODELS, where=pc.field("version") == name)
    publish_version(lake, {**row, "status": ModelStatus.CHAMPION}, chunk=NoChunk(GOLD))
    context.did.notes.append(f"{name} is the champion of its model: readers get it.")


def recompute(context: Context, weights_id: str) -> None:
    """Takes a model's moments anew from its embeddings, and notes how far the stored ones were off.

    Raises BadInput where the model has no embeddings.
    """
    embedded = published_embeddings(context.lake, weights_id)
    if not embedded:
        raise BadInput(
            "This model has no embeddings in the lake: there are no moments to recompute."
        )
    off = moments_table.disagreement(
        context.lake, weights_id=weights_id, through=embedded[-1].number
    )
    context.did.add({"in": sum(c.photos for c in embedded)})
    context.did.notes.append(
        "the moments were of other embeddings, and are replaced."
        if off is None
        else f"the moments kept were off by {off:.0e} of the variance, and are replaced."
    )
