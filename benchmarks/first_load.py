"""What early and late chunks of one first load cost: whether a chunk pays for those before it.

    python benchmarks/first_load.py [--chunks N] [--photos N] [--span N] [--json FILE]

How to read it:

- One run takes N chunks of so many photos of 100×100 from the landing folder to gold (random weights). The
  times are those at which ops/chunks says that a chunk of bronze was judged, or one of silver or gold
  published; a chunk took what passed since the one before it in its layer.
- The first chunk of a layer pays for its start, so `early` begins with the second. Early and late are the
  medians of `--span` chunks each, because a single chunk is noisy on a shared machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.input_photos import originals_of
from benchmarks.machine import facts
from benchmarks.scaling import small
from cli.lake_access import writing
from conf.settings import Settings
from lake import catalog
from lake.enums import BRONZE, GOLD, SILVER

WANTED = 1.1


def taken(rows: Sequence[Mapping[str, Any]], layer: str) -> list[float]:
    """The seconds that each chunk of a layer took but the first, from the rows of ops/chunks."""
    ends: dict[int, Any] = {}
    for row in sorted(rows, key=lambda each: each["entry"]):
        if row["layer"] == layer:
            ends[row["chunk"]] = row["at"]
    times = [ends[number] for number in sorted(ends)]
    return [(after - before).total_seconds() for before, after in pairwise(times)]


def ratios(rows: Sequence[Mapping[str, Any]], *, span: int) -> dict[str, dict[str, float]]:
    """By layer the median seconds of a chunk, early and late, and their ratio. A layer with fewer than two
    chunks after its first one has none."""
    found = {}
    for layer in (BRONZE, SILVER, GOLD):
        seconds = taken(rows, layer)
        if len(seconds) >= 2:
            some = min(span, len(seconds) // 2)
            early, late = statistics.median(seconds[:some]), statistics.median(seconds[-some:])
            found[layer] = {"early": early, "late": late, "ratio": late / early}
    return found


def loaded(work: Path, *, chunks: int, photos: int) -> list[dict[str, Any]]:
    """The rows of ops/chunks after one first load."""
    from run import run_layers

    originals = sorted(originals_of(None, work=work).rglob("*.jpg"))
    small(originals, work / "landing", range(chunks * photos))
    own = [
        f"paths.landing={work / 'landing'}",
        f"paths.lake={work / 'lake'}",
        f"chunks.max_photos={photos}",
        "model.weights=random:1",
    ]
    settings = Settings.load("local", environment={}, overrides=own)
    with writing(settings, Console(quiet=True)) as context:
        run_layers(context, (BRONZE, SILVER, GOLD))
        return context.lake.records(catalog.CHUNKS)


def show(console: Console, found: Mapping[str, Mapping[str, float]], *, photos: int) -> None:
    """The table."""
    table = Table(title=f"a chunk of {photos:,} photos, in seconds ({facts(())['cpu']})")
    for name in ("layer", "early", "late", "ratio"):
        table.add_column(name, justify="left" if name == "layer" else "right")
    for layer, each in found.items():
        table.add_row(layer, *(f"{each[name]:,.2f}" for name in ("early", "late", "ratio")))
    console.print(table)
    console.print(f"At most {WANTED} is wanted.")


def parse() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=25, metavar="N")
    parser.add_argument("--photos", type=int, default=500, metavar="N")
    parser.add_argument("--span", type=int, default=3, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    return parser.parse_args()


def main() -> int:
    """Measures and prints."""
    words, console = parse(), Console(highlight=False)
    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    try:
        rows = loaded(work, chunks=words.chunks, photos=words.photos)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    found = ratios(rows, span=words.span)
    show(console, found, photos=words.photos)
    if words.json:
        words.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
