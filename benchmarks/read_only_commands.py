"""What commands cost that have nothing to do, or only read: whole processes, each beside `status`.

    python benchmarks/read_only_commands.py --landing FOLDER --lake FOLDER
        [--rounds N] [--against CHECKOUT] [--only NAME] [--json FILE]

The lake is one of yours, with classifiers; each round runs every command once, on a copy of it. An erasure is
searched again where the lake has one. With `--against`, the command line of another checkout runs in turns
with this one, on a copy of its own: the numbers before and after a change, of one machine and one hour.

How to read it:

- Seconds are from the start of a process to its end; the import of Python's packages is in them.
- `least` is the least of the rounds, and `processor` the least seconds that the processors worked for the
  process, without Java. On a busy machine these are nearer to the truth than the median.
- `others` is the share of the machine's processor time that other programs had meanwhile.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.process_watch import watched
from conf.errors import BadInput, FruitLakeError
from lake import catalog, delta_rs_reader
from lake.enums import ModelKind, ModelStatus

HERE = Path(__file__).resolve().parents[1]
STATUS = "status"
MAY_END_WITH = (0, 2)
"""Exit codes of a command that has nothing to do: done, or there is no such thing."""

Seconds = dict[str, list[tuple[float, float]]]
"""By command, those of each round: from start to end, and of the processors."""


def commands(landing: Path, lake: str) -> Mapping[str, Sequence[str]]:
    """The words of each command that is measured, by its name. Raises BadInput without a photo or a PCA."""
    photos = sorted(each for each in landing.rglob("*.*") if "subject=" not in str(each))
    models = delta_rs_reader.rows(lake, catalog.MODELS, columns=["version", "kind", "status"])
    is_champion = (ModelKind.PCA, ModelStatus.CHAMPION)
    champions = [row["version"] for row in models if (row["kind"], row["status"]) == is_champion]
    if not photos or not champions:
        raise BadInput(f"{landing} has no photo of nobody's, or {lake} has no PCA version yet.")
    requests = [row["request"] for row in delta_rs_reader.rows(lake, catalog.ERASURES)]
    photo = str(photos[0])
    return {
        STATUS: ["status"],
        "models": ["models"],
        "models --promote CHAMPION": ["models", "--promote", champions[0]],
        "--layer all": ["--layer", "all"],
        "check": ["check"],
        "report": ["report", "--out", "report.html"],
        "predict PHOTO": ["predict", photo],
        "similar PHOTO": ["similar", photo],
        "audit --subject S": ["audit", "--subject", "nobody"],
        "audit --subject S --history": ["audit", "--subject", "nobody", "--history"],
        "lift --subject S": ["lift", "--subject", "nobody"],
        **({"erase --verify ID": ["erase", "--verify", requests[0]]} if requests else {}),
        "restore --table T --version N": ["restore", "--table", "gold/features", "--version", "99"],
        "replay --reason NONE": ["replay", "--reason", "none-has-it"],
        "replay": ["replay"],
        "retain --dry-run": ["retain", "--dry-run"],
        "retain": ["retain"],
    }


def measured(words: argparse.Namespace, console: Console) -> tuple[dict[str, Seconds], float]:
    """The seconds of each command by checkout, and the largest share of other programs. Raises BadInput."""
    checkouts = [HERE, *([words.against] if words.against else [])]
    of = commands(words.landing, str(words.lake))
    of = {name: each for name, each in of.items() if words.only in name}
    seconds: dict[str, Seconds] = {str(each): {name: [] for name in of} for each in checkouts}
    others = 0.0
    with tempfile.TemporaryDirectory(prefix="fruit-lake-benchmark-") as made:
        places = {str(each): Path(made) / str(n) for n, each in enumerate(checkouts)}
        for place in places.values():
            shutil.copytree(words.lake, place / "lake")
            for key in words.lake.parent.glob("*.key"):
                shutil.copy2(key, place)
        for number in range(words.rounds):
            for name, command in of.items():
                for checkout, place in places.items():
                    call = [sys.executable, f"{checkout}/run.py", *command]
                    call += ["--landing", str(words.landing), "--lake", str(place / "lake")]
                    before = _processor_seconds()
                    code, watch = watched(call, place=place, log=place / "log")
                    worked = _processor_seconds() - before
                    if code not in MAY_END_WITH:
                        console.print(f"{name} ended with {code}: {checkout}", markup=False)
                    seconds[checkout][name].append((watch.seconds, worked))
                    others = max(others, watch.others or 0.0)
            console.print(f"round {number + 1} of {words.rounds} is done")
    return seconds, others


def _processor_seconds() -> float:
    """The seconds that the processors worked for the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(seconds: Mapping[str, Seconds]) -> Table:
    """One row for each command, with the median and the least seconds of each checkout."""
    made = Table(title="commands with nothing to do: seconds of whole processes")
    made.add_column("command", no_wrap=True)
    for checkout in seconds:
        name = "here" if checkout == str(HERE) else "against"
        for column in ("median", "least", "processor"):
            made.add_column(f"{name}, {column}", justify="right")
    for command in next(iter(seconds.values())):
        cells = []
        for each in seconds.values():
            whole, worked = zip(*each[command], strict=True)
            cells += [statistics.median(whole), min(whole), min(worked)]
        made.add_row(command, *(f"{cell:.1f}" for cell in cells))
    return made


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--landing", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--lake", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout")
    parser.add_argument("--only", default="", metavar="NAME", help="commands with that in the name")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    words = parser.parse_args(argv)
    if words.rounds < 1:
        parser.error("--rounds: at least 1")
    for name in ("landing", "lake", "against"):
        if getattr(words, name):
            setattr(words, name, getattr(words, name).resolve())
    return words


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code of the error where something fails."""
    words, console = parse(argv), Console(highlight=False, width=120)
    facts: dict[str, Any] = machine.facts(("pyspark", "deltalake", "great-expectations"))
    console.print(f"{facts['cpu']}, {facts['cores']} cores, load {machine.load()[0]} at the start")
    try:
        seconds, others = measured(words, console)
    except FruitLakeError as error:
        console.print(f"error: {error}", markup=False)
        return error.exit_code
    console.print(table(seconds))
    console.print(f"Other programs took up to {others:.0%} of the machine.")
    if words.json:
        words.json.write_text(json.dumps({"facts": facts, "seconds": seconds}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
