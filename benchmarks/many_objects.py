"""What objects that a lake knows already cost a run over new photos: with few of them, and with millions.

    python benchmarks/many_objects.py [--rows N1 N2] [--new N] [--turns T] [--json FILE]

How to read it:

- Two lakes of a hundred photos get N1 and N2 rows of bronze/objects besides, which Spark makes of numbers: of
  objects that were taken in and have left the landing folder. So the listing is as short for both.
- The first run after that makes the index of the larger one (bronze/known_keys): `made`, in seconds.
- Then runs over N new photos, and runs over nothing new, take turns on both lakes in one session, and medians
  are taken. `without` are runs on the larger lake while it may have no index.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.input_photos import originals_of
from benchmarks.machine import facts
from benchmarks.scaling import small
from cli.lake_access import writing
from conf.settings import Settings
from lake import catalog, known_keys, spark_session
from lake.chunks import ChunkPlan
from lake.context import Context
from lake.enums import BRONZE, Outcome

FIRST = 100
"""The photos of a lake before it gets further rows."""

CHUNK_ROWS = 200_000
"""The further rows of a chunk."""

WANTED = 1.15


@dataclass
class GrownLake:
    """A lake with so many further `rows` of bronze/objects, the number of photos that it got since, and the
    seconds of its runs by what they were over."""

    rows: int
    landing: Path
    context: Context
    originals: Sequence[Path]
    photos: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def run(self, name: str, *, new: int = 0) -> None:
        """Runs all layers over so many new photos, and keeps how long that took."""
        from run import run_layers

        if new:
            numbers = range(self.photos, self.photos + new)
            small(self.originals, self.landing / f"{self.photos}", numbers)
            self.photos += new
        began = time.perf_counter()
        run_layers(self.context, ("bronze", "silver", "gold"))
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)

    def grow(self) -> None:
        """Adds the further rows, a chunk at a time."""
        lake = self.context.lake
        for begin in range(0, self.rows, CHUNK_ROWS):
            end = min(begin + CHUNK_ROWS, self.rows)
            [chunk] = lake.ledger.plan([ChunkPlan(layer=BRONZE, photos=end - begin)])
            rows = lake.spark.range(begin, end).selectExpr(
                "sha2(concat('object ', id), 256) as object",
                "concat(1764000000000000000 + id * 1000003, '-', 20000 + id % 90000) as etag",
                "cast(null as string) as subject",
                f"'{Outcome.STORED}' as outcome",
                "sha2(concat('photo ', id), 256) as photo_id",
                "current_timestamp() as seen_at",
                "concat('kind ', id % 28) as label",
                "'' as split",
                "cast(null as string) as path",
                "cast(null as timestamp) as left_at",
            )
            lake.append(catalog.OBJECTS, rows, chunk=chunk)

    def median(self, name: str) -> float:
        """The median seconds of the runs of a name."""
        return statistics.median(self.seconds[name])


@contextmanager
def lakes(work: Path, rows: Sequence[int], originals: Sequence[Path]) -> Iterator[list[GrownLake]]:
    """Lakes with so many further rows each, open for writing in one session."""
    with ExitStack() as open_lakes:
        found = []
        for count in rows:
            landing, lake = work / f"landing{count}", work / f"lake{count}"
            own = [f"paths.landing={landing}", f"paths.lake={lake}", "model.weights=random:1"]
            settings = Settings.load("local", environment={}, overrides=own)
            if not found:
                # `writing` takes the session that there is.
                spark_session.start(settings.spark, lake=settings.paths.lake)
            context = open_lakes.enter_context(writing(settings, Console(quiet=True)))
            found.append(GrownLake(count, landing, context, originals))
        yield found


def measured(work: Path, rows: Sequence[int], *, new: int, turns: int) -> list[GrownLake]:
    """The lakes, with the seconds of their runs."""
    originals = sorted(originals_of(None, work=work).rglob("*.jpg"))
    with lakes(work, rows, originals) as found:
        for lake in found:
            lake.run("first", new=FIRST)
            lake.grow()
            lake.run("made", new=1)
        for _ in range(turns):
            for lake in found:
                lake.run("new", new=new)
                lake.run("nothing")
        large = found[-1]
        known_keys.forget(large.context.lake, layer=BRONZE)
        with mock.patch.object(known_keys, "FEWEST", sys.maxsize):
            for _ in range(turns):
                large.run("without", new=new)
        return found


def show(console: Console, found: Sequence[GrownLake], *, new: int) -> None:
    """The table, and the ratio."""
    table = Table(title=f"{new} new photos, in seconds ({facts(())['cpu']})")
    for name in (
        "rows of bronze/objects",
        "index made",
        "nothing new",
        f"{new} new",
        "without index",
    ):
        table.add_column(name, justify="right")
    for lake in found:
        without = f"{lake.median('without'):,.1f}" if "without" in lake.seconds else ""
        numbers = [f"{lake.median(name):,.1f}" for name in ("made", "nothing", "new")]
        table.add_row(f"{lake.rows:,}", *numbers, without)
    console.print(table)
    ratio = found[-1].median("new") / found[0].median("new")
    console.print(f"{new} new photos, large to small: {ratio:.2f}; at most {WANTED} is wanted.")


def parse() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs=2, default=[50_000, 5_000_000], metavar="N")
    parser.add_argument("--new", type=int, default=100, metavar="N")
    parser.add_argument("--turns", type=int, default=3, metavar="T")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    return parser.parse_args()


def main() -> int:
    """Measures and prints."""
    words, console = parse(), Console(highlight=False)
    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    try:
        found = measured(work, words.rows, new=words.new, turns=words.turns)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    show(console, found, new=words.new)
    if words.json:
        numbers: list[dict[str, Any]] = [{"rows": each.rows} | each.seconds for each in found]
        words.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
