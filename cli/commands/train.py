"""`train`: classifiers of the kinds of fruit, tested on photos held out."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake, writing
from cli.output import model_tables
from cli.step_runner import run_steps
from conf.settings import Settings
from gold import pca_refit, training
from gold.unchanged_training import champion_of_same_training
from lake.context import Context


def run(words: Words, settings: Settings, console: Console) -> None:
    """Trains classifiers, and shows how they do on photos held out. Raises BadInput, Blocked."""
    existing_lake(settings)
    with writing(settings, console) as context:
        run_steps(context, [("train", train_step)])
        model_tables.classifiers(console, context.lake, weights_id=context.model.weights_id)


def train_step(context: Context) -> None:
    """Trains classifiers of the settings' extractor, unless that would make the same ones again."""
    weights_id, settings = context.model.weights_id, context.settings.training
    if champion := champion_of_same_training(context.lake, weights_id, settings):
        context.did.notes.append(
            f"nothing has changed since {champion} was trained: the same photos, settings and code "
            f"would give the same classifiers, so none were trained."
        )
        return
    training.train(context, weights_id, reason=pca_refit.REQUEST)
