"""The output of the command `status`, for people or as JSON."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

from rich.console import Console

from cli.command import CALL
from cli.output.run_tables import listed
from cli.output.sentences import say
from conf.errors import Inconsistent
from conf.settings import Settings
from lake.lake_format import FORMAT, format_of
from lake.storage.folder import Folder
from report.lake_counts import sums
from report.measures import measures, of_classifier, of_drift, of_tables
from report.reconciliation import ModelSums, Sums


def show(console: Console, files: Folder, settings: Settings, *, as_json: bool = False) -> None:
    """Print the sums of a lake, from its landing folder to gold, for people or as JSON, and whether each
    number with a bound is good.

    Raises Inconsistent where the sums don't agree. While a run writes they may differ, because it commits to
    one table after another.
    """
    found, number = sums(files, settings.photos), format_of(files)
    if as_json:
        facts = {"lake": files.root, "format": number, **found.facts()}
        facts["measures"] = [each.facts() for each in measures(found, settings)]
        text = json.dumps(_in_json(facts), default=datetime.isoformat, indent=2, allow_nan=False)
        console.print(text, markup=False, soft_wrap=True)
    else:
        for line in _lines(found, settings, root=files.root):
            say(console, line)
        if number < FORMAT:
            say(
                console,
                f"The lake is of format {number}, and today's is {FORMAT}: {CALL} upgrade takes it there, "
                f"and {CALL} upgrade --dry-run says what that changes.",
            )
    differences = found.disagreements()
    if differences and not found.writer:
        raise Inconsistent(
            f"The sums don't agree: {'; '.join(differences)}. Compare the tables with ops/chunks."
        )


def _lines(found: Sums, settings: Settings, *, root: str) -> list[str]:
    """Return the sums for people: bronze, each model with its measures, the work that is still open, and a
    verdict on all of it."""
    lines = [f"lake {root}"]
    if found.landing and found.landing.has_others:
        lines.append(str(found.landing))
    lines.append(f"{found.objects:,} object versions seen = {listed(found.outcomes) or 'none'}")
    if found.rejected:
        lines.append(f"  rejected: {listed(found.rejected)}")
    for model in found.models:
        lines += _of_model(model, found, settings)
    lines += found.open_ends
    if found.writer:
        lines.append(f"run {found.writer} writes now: sums may not agree until it is done.")
    if not found.disagreements():
        lines.append("The sums agree: good, no photo was lost on the way.")
    bad = [each for each in measures(found, settings) if not each.is_good]
    if bad:
        names = ", ".join(dict.fromkeys(each.name for each in bad))
        lines.append(f"Not good: {names}; the lines above say what to do.")
    elif found.models and not found.open_ends and not found.disagreements():
        lines.append("Every number with a bound is good.")
    return lines


def _of_model(model: ModelSums, found: Sums, settings: Settings) -> list[str]:
    """Return the sums of one model, and each of its measures beside its bound."""
    drift = model.drift
    lines = [
        f"{model.name} ({model.precision}, {model.pixels} pixels): {found.photos:,} photos stored = "
        f"{model.embedded:,} embedded + {model.quarantined:,} quarantined "
        f"({listed(model.reasons) or 'none'}) + {model.waiting:,} waiting; "
        f"it has looked at {model.coverage(found.photos):.1%} of them",
        f"  gold: {model.features:,} features of {model.champion or 'no version yet'}",
    ]
    lines += [f"  {each}" for each in of_tables(model, found.photos, settings)]
    if model.since_training and model.since_training.weeks:
        weeks = model.since_training.last_weeks()
        lines.append(f"  {model.since_training}{f'; by week: {weeks}' if weeks else ''}")
        lines += [f"    {each}" for each in of_classifier(model)]
    if drift:
        lines.append(
            f"  drift of the last chunk, {drift.chunk} ({drift.photos:,} photos), where 0 is what chance "
            f"alone explains:"
        )
        lines += [f"    {each}" for each in of_drift(model, settings)]
    return lines


def _in_json(value: Any) -> Any:
    """Return a value without NaN and infinity, which JSON has not: null stands for them."""
    if isinstance(value, dict):
        return {name: _in_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
