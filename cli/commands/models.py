"""`models`: every model version; a fit, a promotion, a rollback, or moments taken anew."""

from __future__ import annotations

from functools import partial

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake, reading, writing
from cli.output import model_tables
from cli.step_runner import run_steps
from conf.settings import Settings
from gold import model_versions, pca_refit, promote
from gold.gold_layer import project
from lake import catalog
from lake.context import Context
from lake.enums import GOLD


def run(words: Words, settings: Settings, console: Console) -> None:
    """Shows every model version, after what the words ask to be changed. Raises BadInput, Blocked."""
    if not (words.refit or words.promote or words.rollback or words.recompute):
        with reading(settings, console) as lake:
            model_tables.versions(console, lake)
        return
    existing_lake(settings)
    with writing(settings, console) as context:
        run_steps(context, [(GOLD, partial(models_step, words))])
        model_tables.versions(console, context.lake)


def models_step(words: Words, context: Context) -> None:
    """Changes what the words ask for."""
    if words.promote:
        promote.promote(context, words.promote)
        return
    weights_id = context.model.weights_id
    if words.rollback:
        known = context.lake.records(catalog.MODELS)
        promote.promote(context, model_versions.previous(known, weights_id=weights_id))
    elif words.recompute:
        promote.recompute(context, weights_id)
    else:
        project(context, weights_id, reason=pca_refit.REQUEST)
