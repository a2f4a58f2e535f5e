"""What people change in gold by hand: which version readers get, and moments that are taken anew."""

from __future__ import annotations

import pyarrow.compute as pc

from conf.errors import BadInput
from gold import model_versions, moments_table
from gold.gold_layer import catch_up, finish, publish_version, published_embeddings
from gold.model_versions import PcaVersion
from lake import catalog, finite_numbers
from lake.chunks import NoChunk
from lake.context import Context
from lake.enums import GOLD, ModelStatus


def promote(context: Context, name: str) -> None:
    """Makes a version the champion of its model and kind; a PCA has features of all its embeddings then.

    `name` is that of the version, or the beginning of it that no other has. The champion stays what it
    is, without a commit to gold/models. Raises BadInput (there is no such version or several, its
    parameters were wiped, its model is retired, it holds numbers that are not finite), Blocked.
    """
    lake = context.lake
    version = model_versions.version(lake.records(catalog.MODELS), name)
    name = version.version
    [stored] = lake.records(catalog.MODELS, where=pc.field("version") == name)
    if finite_numbers.of_model(stored):
        raise BadInput(
            f"{name} holds numbers that are NaN or infinite, so nothing that it says can be relied on; name "
            f"another version, or fit a new one: run.py models --refit."
        )
    if not published_embeddings(lake, version.weights_id):
        raise BadInput(
            f"{name} belongs to a model that has no embeddings any more; name a version of another."
        )
    if isinstance(version, PcaVersion):
        finish(context, version.weights_id)
        catch_up(context, version)
    [row] = lake.records(catalog.MODELS, where=pc.field("version") == name)
    if row["status"] == ModelStatus.CHAMPION:
        context.did.notes.append(f"{name} is the champion of its model already: readers get it.")
        return
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
        "the stored moments belonged to other embeddings; they are calculated anew."
        if off is None
        else f"the stored moments differed by {off:.0e} of the variance; they are calculated anew."
    )
