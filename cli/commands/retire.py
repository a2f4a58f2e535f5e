"""`retire`: a model's rows leave silver and gold."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake, writing
from cli.output.sentences import say
from conf.settings import Settings
from gold.retire_extractor import model_named, retire
from lake.compaction import compact


def run(words: Words, settings: Settings, console: Console) -> None:
    """Removes the rows of a model from silver and gold. Raises BadInput where there is no such model."""
    existing_lake(settings)
    with writing(settings, console) as context:
        extractor, weights_id = model_named(context.lake, words.model)
        told = f"retiring {extractor}, the model with the weights_id {weights_id}."
        say(console, told)
        removed = retire(context.lake, weights_id)
        compact(context.lake, small_files=settings.compaction.small_files)
    rows = ", ".join(f"{count:,} rows of {name}" for name, count in removed.items()) or "no rows"
    console.print(
        f"{extractor} {weights_id[:12]} is retired: {rows} removed. Earlier versions of the tables "
        "hold them until the retention ends."
    )
