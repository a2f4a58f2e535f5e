"""Predictions and similar photos on the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from cli.json_console import JsonConsole
from cli.output import tables
from cli.output.sentences import say
from cli.output.tables import NAME, NUMBER, WORDS, WholeTable
from gold import acceptance, accuracy_figures
from gold.acceptance import AnswerVerdict
from gold.model_versions import ClassifierVersion
from page.predictions import Prediction
from page.similar_photos import Neighbourhood

OTHERS = 2
"""The largest number of kinds that are shown beside the most likely one."""

LEAST = 0.001
"""The least probability with which another kind is shown."""

SURE = ((0.9, "sure"), (0.6, "likely"))
"""Words for the probability of a kind by a classifier of earlier code, from the highest on; below the last
one the kind is a guess."""

ROWS = 500
"""The most photos of one table: after them it is printed, and memory stays small."""

TRAINED: Mapping[bool | None, str] = {True: "yes", False: "no", None: "nobody can say"}
"""The words for whether a classifier was trained on a photo."""


class PredictionTable:
    """The table of predictions by a classifier: photo, likeliest kind, confidence, and what else to know."""

    def __init__(self, console: Console, by: ClassifierVersion) -> None:
        self._console = console
        self._title = (
            f"by {by.version} ({by.algorithm} on {by.input}): in a cross-validation "
            f"{accuracy_figures.sentence(by.metrics)}; then trained on all of them"
        )
        self._found: list[Prediction] = []
        self._photos = 0
        self._acceptance = by.classifier.acceptance
        self._verdicts = set[AnswerVerdict]()
        self._has_kinds = False

    def add(self, prediction: Prediction) -> None:
        """Add a photo, and print the table where it is long enough."""
        self._found.append(prediction)
        if len(self._found) == ROWS:
            self._print()

    def end(self) -> None:
        """Print what is left, and what the confidence means."""
        self._print()
        if self._has_kinds and not isinstance(self._console, JsonConsole):
            note = (
                "The confidence was adjusted on photos of this lake: for photos of another place or "
                "another camera it may be too high."
            )
            say(self._console, note)
        if self._acceptance and not isinstance(self._console, JsonConsole):
            for sentence in acceptance.meaning(self._acceptance.sure_from, self._verdicts):
                say(self._console, sentence)

    def _print(self) -> None:
        if not self._found:
            return
        columns = {
            "photo": NAME,
            "kind": NAME,
            "confidence": NUMBER,
            "or": WORDS,
            "note": WORDS,
        }
        table = WholeTable(columns, title=self._title)
        for each in self._found:
            self._photos += 1
            named = self._name(each.photo)
            if each.refused is not None:
                table.add(named, "–", "–", "–", f"can't be used: {each.refused}")
                continue
            self._has_kinds = True
            if each.verdict:
                self._verdicts.add(each.verdict)
            (kind, share), *others = each.kinds
            rest = [f"{one_line(name)} {p:.1%}" for name, p in others[:OTHERS] if p >= LEAST]
            table.add(
                named,
                one_line(kind),
                f"{share:.1%} {sure(share, each.verdict)}",
                ", ".join(rest) or "–",
                _note(each) or "–",
            )
        tables.show(self._console, table)
        self._found = []

    def _name(self, photo: str) -> str:
        """Return how a photo is named. Other systems keep a log, so the name of a subject's folder, and what
        is below it, is not in one."""
        before, is_of_somebody, _ = photo.partition("subject=")
        if isinstance(self._console, JsonConsole) and is_of_somebody:
            return f"{one_line(before)}subject=… (photo {self._photos:,} of the command)"
        return one_line(photo)


def sure(share: float, verdict: AnswerVerdict | None) -> str:
    """Return in words how sure a probability is: by the verdict, or else by its size alone."""
    if verdict:
        return acceptance.WORDS[verdict]
    return next((word for least, word in SURE if share >= least), "a guess")


def _note(found: Prediction) -> str:
    """Return what the lake knows of a photo, in words."""
    label = f"the lake's label is {one_line(found.label)}" if found.label else ""
    trained = "the classifier was trained on this photo" if found.trained_on else ""
    return "; ".join(filter(None, [trained, label]))


def one_line(name: str) -> str:
    """Return a name without the signs that would change the screen: a line feed becomes `\\\\n`."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name
    )


def similar(
    console: Console,
    found: Neighbourhood,
    *,
    paths: Mapping[str, str],
    trained: Mapping[str, bool | None] | None,
    to: str,
) -> None:
    """Print the photos of the lake that are most similar to the photo `to`.

    `paths` has the paths of those whose path may be shown, by their ids. A log has no path. `trained` says
    whether the classifier was trained on each; None where the lake has no classifier.
    """
    is_log = isinstance(console, JsonConsole)
    columns = {"similarity": NUMBER, "which is": WORDS, "kind": NAME, "photo_id": NAME}
    columns |= {} if trained is None else {"trained on it": WORDS}
    columns |= {} if is_log else {"photo": NAME}
    table = WholeTable(columns, title="most similar photos" if is_log else f"most similar to {to}")
    shown = tables.ids(console, (each.photo_id for each in found.nearest))
    for each in found.nearest:
        cells = [f"{each.similarity:.4f}", found.words(each.similarity)]
        cells += [one_line(each.label or "–"), shown[each.photo_id]]
        cells += [] if trained is None else [TRAINED[trained[each.photo_id]]]
        cells += [] if is_log else [one_line(paths.get(each.photo_id, "–"))]
        table.add(*cells)
    tables.show(console, table)
    if is_log:
        return
    say(
        console,
        f"A similarity of 1 means the same picture; all photos of the lake have {found.average:.2f} on "
        f"average.",
    )
    if any(each.photo_id not in paths for each in found.nearest):
        note = "Without a path (–): photos of a person, and copies of them."
        say(console, note)
