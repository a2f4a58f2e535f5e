"""What a long listing of the landing folder costs the driver: memory, and seconds, by the number of objects.

    python benchmarks/listed_objects.py [--objects N ...] [--json FILE]

How to read it:

- The objects are made of numbers and lie nowhere: half of them in folders of subjects, in no order of time.
  Each count is measured in a process of its own, on a lake without Java, twice: none of the objects is known
  (`new`), and all are (`known`), as rows of bronze/objects and in its index.
- `memory` is the most that the process has held, and `before` what it held when the listing began. What is
  new is cut into chunks as for a run; nothing is read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import facts
from bronze import bronze_layer, new_objects
from bronze.landing import Landing, LandingObject, ListingCounts
from conf.settings import Settings
from lake import catalog, known_keys, lease, small_tables
from lake.enums import BRONZE, Outcome
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun, Run
from lake.storage.locate import folder
from lake.writable_lake import WritableLake

WANTED = 1.3
KEYS = Pseudonyms(b"the key of a benchmark")
CHUNK_ROWS = 200_000


class NumberedObjects(Landing):
    """So many objects that lie nowhere."""

    def __init__(self, count: int) -> None:
        super().__init__("nowhere")
        self.count = count

    def objects(self, counts: ListingCounts | None = None) -> Iterator[LandingObject]:
        """Yields them in the order of hashes, as a bucket's listing is in no order of time."""
        for number in range(self.count):
            place = number * 7_919 % self.count
            whose = f"subject=person{place % 1_000}/" if place % 2 else ""
            path = f"{whose}kiwi/2026/11/{place // 1_000}/{place:09}.jpg"
            if counts:
                counts.objects += 1
            yield LandingObject(path, 20_000 + place % 90_000, 1_764 * 10**15 + place * 10**6)


def peak() -> float:
    """The most bytes that this process has held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [most] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return float(most) * 1024


def known_rows(count: int) -> Iterator[pa.Table]:
    """Rows of bronze/objects of all of the objects, a chunk at a time."""
    rows: list[dict[str, Any]] = []
    for number, each in enumerate(NumberedObjects(count).objects()):
        key = KEYS.path(each.path)
        rows.append({"chunk": number // CHUNK_ROWS + 1, "object": key, "etag": each.etag})
        rows[-1] |= {"outcome": Outcome.STORED, "photo_id": key, "label": "kiwi", "split": ""}
        if len(rows) == CHUNK_ROWS:
            yield small_tables.arrow_rows(catalog.OBJECTS, rows)
            rows = []
    if rows:
        yield small_tables.arrow_rows(catalog.OBJECTS, rows)


@contextmanager
def context_of(root: Path) -> Iterator[Any]:
    """What a run over a lake under a root has of a context before it needs Spark."""
    files, settings = folder(str(root)), Settings.load("local", environment={})
    with lease.held(files, run_id="run", seconds=60) as own:
        lake = WritableLake(_no_spark, files, Run("run", "code", "settings"), own)
        did = LayerRun(BRONZE)
        yield SimpleNamespace(lake=lake, settings=settings, pseudonyms=KEYS, did=did)


def make(count: int, root: Path) -> None:
    """Makes a lake under a root that knows so many objects."""
    from deltalake import write_deltalake

    files = folder(str(root))
    files.make()
    delta = Settings.load("local", environment={}).delta
    for table in catalog.TABLES:
        properties = catalog.properties(table, delta) if table.is_small else {}
        small_tables.create(files.root, table, properties)
    for rows in known_rows(count):
        write_deltalake(f"{root}/{catalog.OBJECTS.name}", rows, mode="append")
    with context_of(root) as context:
        known_keys.fold(context.lake, most=0)


def measured(count: int, root: Path) -> dict[str, float]:
    """Lists so many objects over the lake under a root, and cuts what is new into chunks."""
    with context_of(root) as context:
        before, began, landing = peak(), time.perf_counter(), NumberedObjects(count)
        with bronze_layer.listed(context, landing) as listed:
            groups = new_objects.new_groups(context, landing, listed, tombstones=frozenset())
            new = sum(map(len, groups))
        seconds = time.perf_counter() - began
    numbers = {"seconds": seconds, "memory": peak(), "before": before}
    return {"objects": count, "new": new} | numbers


def _no_spark() -> Any:
    raise AssertionError("Spark was started")


def in_own_processes(count: int, *, are_known: bool) -> dict[str, float]:
    """One measurement: the lake is made in a process of its own, and the listing goes on in another."""
    with tempfile.TemporaryDirectory(prefix="fruit-lake-benchmark-") as work:
        words = [sys.executable, str(Path(__file__).resolve()), "--task", f"{work}/lake"]
        for step, number in (("make", count if are_known else 0), ("measure", count)):
            own = [*words, step, str(number)]
            told = subprocess.run(own, check=True, stdout=subprocess.PIPE, text=True).stdout
        found: dict[str, float] = json.loads(told.splitlines()[-1])
    assert found["new"] == (0 if are_known else count)
    return found


def show(console: Console, found: dict[str, Sequence[dict[str, float]]]) -> None:
    """The table, and the ratios."""
    table = Table(title=f"listed objects ({facts(())['cpu']})")
    for name in ("objects", "", "seconds", "µs each", "memory MB", "before MB"):
        table.add_column(name, justify="right")
    for kind, rows in found.items():
        for row in rows:
            each = row["seconds"] / row["objects"] * 1e6
            numbers = (row["seconds"], each, row["memory"] / 1e6, row["before"] / 1e6)
            table.add_row(f"{row['objects']:,.0f}", kind, *(f"{n:,.0f}" for n in numbers))
    console.print(table)
    for kind, rows in found.items():
        ratio = rows[-1]["memory"] / rows[0]["memory"]
        console.print(f"memory, {kind}, most to fewest: {ratio:.2f}; at most {WANTED} is wanted.")


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, nargs="+", default=[50_000, 5_000_000], metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.task:
        root, step, count = words.task
        if step == "make":
            make(int(count), Path(root))
        else:
            print(json.dumps(measured(int(count), Path(root))))
        return 0
    found = {
        kind: [in_own_processes(count, are_known=are_known) for count in words.objects]
        for kind, are_known in (("new", False), ("known", True))
    }
    show(Console(highlight=False), found)
    if words.json:
        words.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
