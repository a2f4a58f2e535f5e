"""What the age of a lake costs: the same commands on a new lake and on one whose journals are of many runs.

    python benchmarks/long_lake.py [--days N] [--rounds N] [--photos-held N] [--photos FOLDER] [--json FILE]

What is measured, each on a copy of both lakes, from the start of a process to its end:

status             `run.py status`
nothing new        `run.py --layer all` where no photo has come
ten new photos     the same where ten photos have come

`opened` is measured in this process: the chunks of the lake as `ops/chunks` tells them, read anew.

How to read it:

- The old lake is a copy of the new one, and its journals got the rows that N daily runs would have left
  (`grow`). The rows are those of the lake's own run, with other numbers, ids and times, through the code that
  writes journals. The first fold and compaction are made as the end of a run makes them.
- The chunks of those days hold no photo, as if every photo of theirs had passed its longest age; so the
  tables of photos are the same in both lakes, and a ratio tells what the journals cost.
- All but the last days are written in a commit for many days; their entries of the log would be past the
  log's retention. Each row of the last days has a commit for each state, as a run makes them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Screen

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.daily_run import LIBRARIES
from benchmarks.whole_processes import NEW, NOTHING, ROOT, TEN, Bench, Whole, process
from conf.errors import FruitLakeError
from conf.settings import Settings
from lake import catalog, lease
from lake.catalog import Table
from lake.chunk_folding import fold
from lake.chunks_table import chunks_in
from lake.compaction import compact
from lake.run_journal import Run
from lake.storage.locate import folder
from lake.writable_lake import WritableLake

DAYS = 3650
IN_ONE_COMMIT = 50
"""Days whose rows are written in one commit."""

LAST_DAYS = 30
"""Days of which the log still has every commit: its retention in the settings that are shipped."""

OPENED, STATUS = "opened", "status"
MEASURED = (OPENED, STATUS, NOTHING, TEN)
NEW_LAKE, OLD_LAKE = "new", "old"

TIMES = {
    catalog.RUNS: ("started_at", "finished_at"),
    catalog.CHUNKS: ("at",),
    catalog.DRIFT: ("measured_at",),
    catalog.QUALITY: ("judged_at",),
}
"""The journals, each with its columns of times."""

Row = dict[str, Any]


# A lake after many days


@contextmanager
def written(root: str) -> Iterator[WritableLake]:
    """A lake for the one writer of its journals, without Spark. Raises Busy."""
    files, settings = folder(root), Settings.load("local", environment={})
    run = Run.begin(settings.digest)
    with lease.held(files, run_id=run.run_id, seconds=settings.lease.seconds) as own:
        yield WritableLake(_no_spark, files, run, own)


def grow(root: str, days: int) -> None:
    """Gives the journals of a lake the rows of so many daily runs, as if no run had folded or joined any.
    Raises Busy."""
    with written(root) as lake:
        last = {table: lake.records(table) for table in TIMES}
        early = max(0, days - LAST_DAYS)
        for table, rows in last.items():
            for first in range(0, early, IN_ONE_COMMIT):
                span = range(first, min(first + IN_ONE_COMMIT, early))
                made = [row for day in span for row in of_day(table, rows, day, days)]
                lake.record(table, made, layer="benchmark")
            for day in range(early, days):
                for made in by_commit(table, of_day(table, rows, day, days)):
                    lake.record(table, made, layer="benchmark")


def tidy(root: str) -> None:
    """Folds and joins the journals of a lake, as the end of a run does. Raises Busy."""
    small_files = Settings.load("local", environment={}).compaction.small_files
    with written(root) as lake:
        lake.written.update(TIMES)
        fold(lake)
        compact(lake, small_files=small_files)


def of_day(table: Table, rows: Sequence[Row], day: int, days: int) -> list[Row]:
    """The rows of a journal as the run of one day leaves them; `rows` are those of the lake's first run.

    The days count from 0, and lie before the first run; their chunks and entries are numbered after its own.
    """
    ago = timedelta(days=days - day)
    runs = sorted({row["run_id"] for row in rows})
    chunks = max((row["chunk"] or 0 for row in rows), default=0)
    entries = max((row.get("entry", 0) for row in rows), default=0)
    made = []
    for row in rows:
        own = {name: row[name] - ago for name in TIMES[table]}
        own["run_id"] = f"{row['run_id'][:-8]}{day * len(runs) + runs.index(row['run_id']):08x}"
        if row["chunk"] is not None:
            own["chunk"] = row["chunk"] + (day + 1) * chunks
        if table is catalog.CHUNKS:
            shift = (day + 1) * chunks
            own |= {
                "entry": row["entry"] + (day + 1) * entries,
                "photos": 0,
                **{f"source_{n}": _moved(row[f"source_{n}"], shift) for n in ("from", "to")},
            }
        made.append(row | own)
    return made


def _moved(number: int | None, by: int) -> int | None:
    return None if number is None else number + by


def by_commit(table: Table, rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of one day as a run commits them: a state of a chunk, a gate, or a layer at a time."""
    names = {catalog.CHUNKS: ("entry",), catalog.QUALITY: ("chunk", "suite")}.get(
        table, ("run_id",)
    )

    def key(row: Row) -> list[Any]:
        return [row[name] for name in names]

    for _, own in groupby(sorted(rows, key=key), key):
        yield list(own)


def _no_spark() -> Any:
    raise RuntimeError("journals need no Spark")


# Measurements


def measured(bench: Bench, name: str, lake: Path) -> Whole:
    """One measurement on a copy of a lake. Raises Failed."""
    if name == OPENED:
        began = time.perf_counter()
        chunks_in(str(lake))
        return Whole(time.perf_counter() - began)
    with tempfile.TemporaryDirectory(dir=bench.work, ignore_cleanup_errors=True) as made:
        place = Path(made)
        shutil.copytree(lake, place / "lake")
        shutil.copy2(bench.work / "held" / "lake.key", place)
        if name == STATUS:
            command = [str(ROOT / "run.py"), "status", "--lake", str(place / "lake")]
            return process(command, place)
        return bench.run([*bench.held, *(bench.new if name == TEN else ())], place)


def ratios(results: Mapping[str, Mapping[str, Sequence[Whole]]]) -> dict[str, float]:
    """How many times as long each took on the old lake, by medians."""
    return {
        name: median(results[OLD_LAKE][name]) / median(results[NEW_LAKE][name]) for name in MEASURED
    }


def median(rounds: Sequence[Whole]) -> float:
    """The median of their seconds."""
    return statistics.median(each.seconds for each in rounds)


def show(console: Console, results: Mapping[str, Mapping[str, Sequence[Whole]]]) -> None:
    """The table of what was measured."""
    table = Screen(title="median seconds on a new lake and on an old one")
    for name in ("measured", NEW_LAKE, OLD_LAKE, "ratio", "others"):
        table.add_column(name, justify="left" if name == "measured" else "right")
    for name, ratio in ratios(results).items():
        both = [results[lake][name] for lake in (NEW_LAKE, OLD_LAKE)]
        others = max(each.others or 0.0 for rounds in both for each in rounds)
        seconds = [f"{median(rounds):.2f}" for rounds in both]
        table.add_row(name, *seconds, f"{ratio:.2f}", f"{others:.0%}")
    console.print(table)


# The command


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=DAYS, metavar="N", help="of the old lake")
    parser.add_argument("--photos-held", type=int, default=60, metavar="N", help="in both lakes")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="medians of so many")
    parser.add_argument(
        "--photos", type=Path, metavar="FOLDER", help="else the shared ones, or samples"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code of the error where something fails."""
    words, console = parse(argv), Console(highlight=False, width=120)
    facts = machine.facts(LIBRARIES)
    console.print(f"{facts['cpu']}, {facts['cores']} cores, load {machine.load()[0]} at the start")
    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    try:
        bench = Bench.made(words.photos, words.photos_held, work, console)
        lakes = {NEW_LAKE: work / "held" / "lake", OLD_LAKE: work / "old"}
        shutil.copytree(lakes[NEW_LAKE], lakes[OLD_LAKE])
        began = time.perf_counter()
        grow(str(lakes[OLD_LAKE]), words.days)
        tidy(str(lakes[OLD_LAKE]))
        took = time.perf_counter() - began
        console.print(f"Journals of {words.days:,} days and {NEW} photos to come: {took:.0f} s")
        results: dict[str, dict[str, list[Whole]]] = {
            lake: {name: [] for name in MEASURED} for lake in lakes
        }
        for number in range(words.rounds):
            for name in MEASURED:
                for lake in sorted(lakes, reverse=bool(number % 2)):
                    results[lake][name].append(measured(bench, name, lakes[lake]))
    except FruitLakeError as error:
        console.print(f"error: {error}", markup=False)
        return error.exit_code
    finally:
        shutil.rmtree(work, ignore_errors=True)
    show(console, results)
    if words.json:
        words.json.write_text(json.dumps({"facts": facts, "ratios": ratios(results)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
