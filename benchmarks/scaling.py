"""What the size of a lake, and of a photo, costs: new photos on a small and a large lake, and peak memory.

    python benchmarks/scaling.py [--lakes N1 N2] [--new N] [--large N] [--photos FOLDER] [--json FILE]

How to read it:

- A lake of N1 photos of 100×100 and one of N2 are built, each in a process of its own. Then, in the same
  session, runs over nothing new and runs over N new photos take turns, and medians are taken. The marginal
  part is their difference: what the new photos cost. Its ratio should be near 1: cost follows what is new.
- The large photos are JPEGs and PNGs of about 20 MB, two thirds and a third. `a worker` is the largest of
  the Python processes that Spark started, its decoder counted apart from it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.input_photos import MOBILENET, originals_of
from benchmarks.process_watch import end_of, watched
from conf.settings import Settings

SIDE = 100
LARGE = (6400, 4800)
"""Pixels of a large photo: noise on a slope, which takes 20 MB as a JPEG of quality 95."""

TURNS = 3
WANTED_RATIO, WANTED_WORKER = 1.2, 700e6


def small(originals: Sequence[Path], folder: Path, numbers: range) -> None:
    """Photos of SIDE × SIDE, cropped out of the originals and encoded again, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        chance = np.random.default_rng(number)
        with Image.open(originals[number % len(originals)]) as original:
            left, top = (int(chance.integers(0, max(1, side - SIDE))) for side in original.size)
            cut = original.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
        cut.putpixel(
            (int(chance.integers(SIDE)), int(chance.integers(SIDE))), (number % 256, 0, 255)
        )
        made = BytesIO()
        cut.save(made, "JPEG", quality=85 + number % 10)
        (folder / f"{number:06d}.jpg").write_bytes(made.getvalue())


def large(folder: Path, count: int) -> list[int]:
    """Photos of LARGE pixels, and their sizes in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = LARGE
    slope = np.linspace(0, 200, width, dtype=np.float32)
    for number in range(count):
        chance = np.random.default_rng(number)
        noise = chance.integers(0, 56, (height, width, 3), np.uint8)
        image = Image.fromarray(noise + slope[None, :, None].astype(np.uint8))
        if number % 3 == 2:
            image.crop((0, 0, 3200, 2400)).save(folder / f"{number}.png", compress_level=1)
        else:
            image.save(folder / f"{number}.jpg", quality=95)
    return [path.stat().st_size for path in sorted(folder.iterdir())]


# What is measured, each in a process of its own


def layers_over(landing: Path, lake: Path, tell: Callable[[Callable[[], float]], Any]) -> Any:
    """Opens Spark once; `tell` gets a function that runs all layers and says how long they took."""
    from cli.lake_access import writing
    from lake import spark_session
    from run import run_layers

    weights = str(MOBILENET) if MOBILENET.exists() else "random:1"
    own = [f"paths.landing={landing}", f"paths.lake={lake}"]
    own += ["model.extractor=mobilenet_v2", f"model.weights={weights}"]
    settings = Settings.load("local", environment={}, overrides=own)
    # `writing` takes the session that there is.
    spark_session.start(settings.spark, lake=settings.paths.lake)
    with writing(settings, Console()) as context:

        def once() -> float:
            began = time.perf_counter()
            run_layers(context, ("bronze", "silver", "gold"))
            return time.perf_counter() - began

        return tell(once)


def growth(work: Path, originals: Sequence[Path], *, size: int, new: int) -> dict[str, Any]:
    """Seconds to build a lake, of runs over nothing new, and of runs over new photos."""
    landing = work / "landing"
    with ProcessPoolExecutor(2) as pool:
        parts = [range(start, min(start + 500, size)) for start in range(0, size, 500)]
        list(
            pool.map(
                small, *zip(*((originals, landing / str(p.start), p) for p in parts), strict=True)
            )
        )

    def tell(once: Callable[[], float]) -> dict[str, Any]:
        found: dict[str, Any] = {"built": once(), "nothing": [], "new": []}
        once()
        for turn in range(TURNS):
            found["nothing"].append(once())
            start = size + turn * new
            small(originals, landing / f"new{turn}", range(start, start + new))
            found["new"].append(once())
        return found

    return layers_over(landing, work / "lake", tell)


def large_photos(work: Path, originals: Sequence[Path], *, size: int, new: int) -> dict[str, Any]:
    """Seconds for `size` large photos."""
    sizes = large(work / "landing", size)
    found = layers_over(work / "landing", work / "lake", lambda once: {"built": once()})
    return found | {"bytes": sum(sizes) / len(sizes)}


MEASURES = {"growth": growth, "large": large_photos}


def measured(name: str, originals: Sequence[Path], *, size: int, new: int, console: Console) -> Any:
    """One measurement in a process of its own, and its peak memory."""
    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    try:
        task = {"name": name, "work": str(work), "size": size, "new": new}
        (work / "task.json").write_text(json.dumps(task | {"originals": list(map(str, originals))}))
        command = [sys.executable, str(Path(__file__).resolve()), "--task", str(work / "task.json")]
        code, watch = watched(command, place=work, log=work / "log")
        if code:
            console.print(end_of(work / "log"), markup=False)
            raise SystemExit(f"{name} of {size} ended with code {code}.")
        found = json.loads((work / "result.json").read_text())
        return found | {"size": size, "memory": watch.peak, "others": watch.others}
    finally:
        shutil.rmtree(work, ignore_errors=True)


# The command


def show(console: Console, lakes: Sequence[Any], big: Any, *, new: int) -> None:
    """The tables."""
    table = Table(title=f"{new} new photos, in seconds")
    for name in (
        "lake",
        "built",
        "nothing new",
        f"{new} new",
        "marginal",
        "JVM MB",
        "a worker MB",
        "others",
    ):
        table.add_column(name, justify="right")
    margins = []
    for lake in lakes:
        nothing, fresh = statistics.median(lake["nothing"]), statistics.median(lake["new"])
        margins.append(fresh - nothing)
        memory = (f"{lake['memory'].get(kind, 0) / 1e6:,.0f}" for kind in ("JVM", "a worker"))
        numbers = (f"{each:,.1f}" for each in (lake["built"], nothing, fresh, fresh - nothing))
        table.add_row(f"{lake['size']:,}", *numbers, *memory, f"{lake['others']:.0%}")
    console.print(table)
    if len(margins) > 1:
        ratio = margins[-1] / margins[0]
        console.print(
            f"marginal part, large to small: {ratio:.2f}; at most {WANTED_RATIO} is wanted."
        )
    if big:
        worker = big["memory"].get("a worker", 0)
        console.print(
            f"{big['size']} photos of {big['bytes'] / 1e6:.0f} MB in {big['built']:.0f} s: a worker took "
            f"{worker / 1e6:,.0f} MB at most ({WANTED_WORKER / 1e6:.0f} are wanted), the JVM "
            f"{big['memory'].get('JVM', 0) / 1e6:,.0f} MB."
        )


def parse() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lakes", type=int, nargs="*", default=[5000, 20000], metavar="N")
    parser.add_argument("--new", type=int, default=100, metavar="N")
    parser.add_argument(
        "--large", type=int, default=12, metavar="N", help="photos of 20 MB; 0: none"
    )
    parser.add_argument(
        "--photos", type=Path, metavar="FOLDER", help="else the shared ones, or samples"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    parser.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Measures and prints."""
    words = parse()
    if words.task:
        task = json.loads(words.task.read_text())
        work, originals = Path(task["work"]), list(map(Path, task["originals"]))
        found = MEASURES[task["name"]](work, originals, size=task["size"], new=task["new"])
        (work / "result.json").write_text(json.dumps(found))
        return 0
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="fruit-lake-benchmark-") as made:
        originals = sorted(originals_of(words.photos, work=Path(made)).rglob("*.jpg"))
        shared: dict[str, Any] = {"new": words.new, "console": console}
        lakes = [measured("growth", originals, size=size, **shared) for size in words.lakes]
        big = measured("large", originals, size=words.large, **shared) if words.large else None
    show(console, lakes, big, new=words.new)
    if words.json:
        words.json.write_text(json.dumps({"lakes": lakes, "large": big}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
