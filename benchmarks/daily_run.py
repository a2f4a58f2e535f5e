"""What a small run costs: whole processes of the command line, in turns with the floor that Spark sets.

    python benchmarks/daily_run.py [--photos-held N] [--rounds N] [--photos FOLDER] [--json FILE]

What is measured, each from the start of a process to its end:

bare Spark                 a process without the product that starts Spark with Delta as Delta's documentation
                           says, appends to three small tables, reads them, and ends (`bare_spark.py`).
bare Spark, our settings   the same under the settings that the product gives to Spark: what they save is no
                           merit of its code.
ten new photos             `run.py --layer all` where ten photos have come to a lake of N.
nothing new                the same on the same lake, where none has come.
new lake                   the same for ten photos and an empty folder: what a first run costs however few
                           photos it has. The model's conversion is in it.

How to read it:

- The lake of N photos and the tables of bare Spark are made once, and each measurement has a copy. A round
  has every measurement once, and each round begins with another one. The ratios are those of medians; a
  machine that is slower for a while is slower for both sides.
- `others` is the share of the machine's processor time that other programs had meanwhile; above a few
  percent no ratio is sure. What ran for less than half a second within a measurement counts as another.
- The parts are the medians of what the lakes' own journals say (`journal_intervals.py`), so they add up to
  the whole in about only. Before the first layer Python starts, and the lake is opened; Spark starts in the
  part that first needs it.
- The lake held is of one run. Its journals are short, where those of a lake of a year are long.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.marginal_rates import OTHERS_MATTER
from benchmarks.whole_processes import FIRST, FLOORS, NEW, NOTHING, RUNS, TAKEN, TEN, Bench, Whole
from conf.errors import FruitLakeError
from conf.setting_sources import ENVIRONMENT_PREFIX
from lake.run_journal import code_revision

HELD, HELD_LEAST = 5000, 50
"""Photos of the lake held; with fewer than the least, ten new ones make a new PCA version due."""

OF_FLOOR = {TEN: 1.2, NOTHING: 0.4}
SECONDS = {FIRST: 25.0}
"""What is wanted at most: times the seconds of bare Spark, and seconds."""

LIBRARIES = (
    *("pyspark", "delta-spark", "deltalake", "great-expectations", "tensorflow"),
    *("openvino", "numpy", "pandas", "pyarrow"),
)

MEASURED = (*FLOORS, *RUNS)

Results = Mapping[str, Sequence[Whole]]
"""By what was measured, by round."""


# What the numbers say


def median(results: Results, name: str) -> float:
    """The median seconds of what was measured."""
    return statistics.median(each.seconds for each in results[name])


def ratio(results: Results, name: str, floor: str) -> float:
    """How many times the median seconds of a floor something took."""
    return median(results, name) / median(results, floor)


def wanted(results: Results) -> list[str]:
    """A line for each target: what was seen, and what is wanted."""
    lines = []
    for name, most in OF_FLOOR.items():
        documented, ours = (f"{ratio(results, name, floor):.2f} times {floor}" for floor in FLOORS)
        lines.append(f"{name} took {documented}, where at most {most} is wanted, and {ours}.")
    for name, seconds in SECONDS.items():
        took = median(results, name)
        lines.append(f"{name} took {took:.1f} s; at most {seconds:.0f} s are wanted.")
    return lines


def doubts(results: Results) -> list[str]:
    """Why the numbers may not be believed: other programs, and runs that did other work than they should."""
    lines = []
    others = max((each.others or 0.0 for rounds in results.values() for each in rounds), default=0)
    if others > OTHERS_MATTER:
        told = "no ratio is sure; repeat it on a quiet machine"
        lines.append(f"Other programs took up to {others:.0%} of the machine: {told}.")
    for name, due in TAKEN.items():
        if any(each.taken != due for each in results[name]):
            taken = ", ".join(str(each.taken) for each in results[name])
            lines.append(
                f"{name}: bronze took {taken} photos, not {due}. That is not the same work."
            )
    return lines


def part_names(results: Results) -> list[str]:
    """The names of all parts, in the order in which a run comes to them."""
    names = dict.fromkeys(
        part for name in (FIRST, *RUNS) for each in results[name] for part in each.parts
    )
    last = [name for name in ("between layers", "after the last layer") if name in names]
    return [name for name in names if name not in last] + last


# On screen


def show(console: Console, results: Results) -> None:
    """The tables, what is doubtful about them, and what was wanted."""
    console.print(wholes_table(results))
    console.print(parts_table(results))
    for line in (*doubts(results), *wanted(results)):
        console.print(line)


def wholes_table(results: Results) -> Table:
    """One row for each thing that was measured."""
    table = Table(title="whole processes, from start to end")
    table.add_column("measured", no_wrap=True)
    for name in ("median s", "least s", *(f"× {floor}" for floor in FLOORS), "wanted", "others"):
        table.add_column(name, justify="right")
    for name, rounds in results.items():
        others = max(each.others or 0.0 for each in rounds)
        most = f"≤ {OF_FLOOR[name]} ×" if name in OF_FLOOR else ""
        table.add_row(
            name,
            f"{median(results, name):.1f}",
            f"{min(each.seconds for each in rounds):.1f}",
            *(f"{ratio(results, name, floor):.2f}" for floor in FLOORS),
            most or (f"≤ {SECONDS[name]:.0f} s" if name in SECONDS else "–"),
            f"{others:.0%}",
            style="yellow" if others > OTHERS_MATTER else None,
        )
    return table


def parts_table(results: Results) -> Table:
    """Where the seconds of the runs go."""
    table = Table(title="parts of the runs: median seconds")
    table.add_column("part", no_wrap=True)
    for name in RUNS:
        table.add_column(name, justify="right")
    for part in part_names(results):
        cells = []
        for name in RUNS:
            told = [each.parts[part] for each in results[name] if part in each.parts]
            cells.append(f"{statistics.median(told):.2f}" if told else "–")
        table.add_row(part, *cells)
    return table


# The command


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos-held", type=int, default=HELD, metavar="N", help="in the lake")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="medians of so many")
    parser.add_argument(
        "--photos", type=Path, metavar="FOLDER", help="else the shared ones, or samples"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    words = parser.parse_args(argv)
    if words.photos_held < HELD_LEAST:
        parser.error(f"--photos-held: at least {HELD_LEAST}")
    if words.rounds < 1:
        parser.error("--rounds: at least 1")
    return words


def in_turns(number: int) -> tuple[str, ...]:
    """What a round measures, in its order: each round begins with another."""
    first = number % len(MEASURED)
    return MEASURED[first:] + MEASURED[:first]


def facts(words: argparse.Namespace) -> dict[str, Any]:
    """What the numbers hang on."""
    return machine.facts(LIBRARIES) | {
        "date": datetime.now(UTC).date().isoformat(),
        "code_revision": code_revision(),
        "photos_held": words.photos_held,
        "new": NEW,
        "rounds": words.rounds,
        "load_before": machine.load(),
    }


def measured(words: argparse.Namespace, console: Console) -> dict[str, list[Whole]]:
    """Every measurement in every round. Raises BadInput, and Failed where a process fails."""
    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    results: dict[str, list[Whole]] = {name: [] for name in MEASURED}
    try:
        bench = Bench.made(words.photos, words.photos_held, work, console)
        for number in range(words.rounds):
            for name in in_turns(number):
                results[name].append(bench.measured(name))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return results


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code of the error where something fails."""
    words = parse(argv)
    for name in [each for each in os.environ if each.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]  # a setting of the caller's would be one of the runs
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    held = facts(words)
    versions = ", ".join(f"{name} {number}" for name, number in held["versions"].items())
    console.print(
        f"{held['cpu']}, {held['cores']} cores, load {held['load_before'][0]} at the start"
    )
    console.print(f"Python {held['python']}, {versions}")
    try:
        results = measured(words, console)
    except FruitLakeError as error:
        console.print(f"error: {error}", markup=False)
        return error.exit_code
    show(console, results)
    if words.json:
        numbers = {
            "facts": held | {"load_after": machine.load()},
            "measured": {name: list(map(asdict, rounds)) for name, rounds in results.items()},
        }
        words.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
