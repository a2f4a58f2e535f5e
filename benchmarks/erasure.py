"""What one erasure costs, state by state, and what it grows with.

    python benchmarks/erasure.py [--lakes N1 N2] [--subject N] [--json FILE]

How to read it:

- Lakes of N1 and N2 photos of 100×100 are built, each in a process of its own, `--subject` of them one
  person's. That person is erased at once, then looked for again with `--verify`, without and with `--deep`.
- `rows` is the time until no table shows the person; `files` fits the PCA anew, projects all photos with it
  and removes old files; `search` is what stands before the certificate. `rows` grows with the files that hold
  the person's photos, `files` with the photos in the lake, `search` with the files and bytes there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.input_photos import MOBILENET, originals_of
from benchmarks.process_watch import end_of, watched
from benchmarks.scaling import small
from conf.settings import Settings

PERSON = "the-one-who-leaves"
ENDS = {"rows": "erase: logical", "files": "erase: physical", "search": "erase: certified"}
"""The parts of an erasure, and the fault point that each ends at."""


def erasure(work: Path, originals: Sequence[Path], *, size: int, own: int) -> Any:
    """Seconds of each part of an erasure, of two searches after it, and what lay there before."""
    from cli.commands.erase import verify
    from cli.lake_access import writing
    from lake import fault_points, spark_session
    from lake.enums import ERASE, ErasureMode
    from privacy.erasure.erase import erase
    from run import run_layers

    landing, lake = work / "landing", work / "lake"
    for start in range(own, size, 500):
        small(originals, landing / str(start), range(start, min(start + 500, size)))
    small(originals, landing / f"subject={PERSON}", range(own))
    weights = str(MOBILENET) if MOBILENET.exists() else "random:1"
    set_to = [f"paths.landing={landing}", f"paths.lake={lake}"]
    set_to += ["model.extractor=mobilenet_v2", f"model.weights={weights}"]
    settings = Settings.load("local", environment={}, overrides=set_to)
    # `writing` takes the session that there is.
    spark_session.start(settings.spark, lake=settings.paths.lake)
    found: dict[str, Any] = {"size": size, "own": own}
    with writing(settings, Console()) as context:
        found["built"] = seconds(lambda: run_layers(context, ("bronze", "silver", "gold")))
        files = [path for path in lake.rglob("*") if path.is_file()]
        found |= {"files_there": len(files), "bytes": sum(path.stat().st_size for path in files)}
    reached: dict[str, float] = {}
    with writing(settings, Console()) as context:
        began = time.perf_counter()

        def note(point: str) -> None:
            reached[point] = time.perf_counter() - began

        with fault_points.armed(note):
            step = context.step(ERASE)
            erase(step, subject=PERSON, request="measured", mode=ErasureMode.IMMEDIATE)
        before = 0.0
        for part, point in ENDS.items():
            found[part] = reached[point] - before
            before = reached[point]
        for name, deep in (("verify", False), ("deep", True)):
            found[name] = seconds(
                lambda deep=deep: verify(context.lake, settings, Console(), "measured", deep=deep)
            )
    return found


def seconds(action: Callable[[], Any]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measured(originals: Sequence[Path], console: Console, **task: Any) -> Any:
    """One lake, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="fruit-lake-benchmark-") as made:
        work = Path(made)
        (work / "task.json").write_text(json.dumps(task | {"originals": list(map(str, originals))}))
        command = [sys.executable, str(Path(__file__).resolve()), "--task", str(work / "task.json")]
        code, watch = watched(command, place=work, log=work / "log")
        if code:
            console.print(end_of(work / "log"), markup=False)
            raise SystemExit(f"a lake of {task['size']} ended with code {code}.")
        return json.loads((work / "result.json").read_text()) | {"others": watch.others}


def show(console: Console, lakes: Sequence[Any]) -> None:
    """The table."""
    table = Table(title="one erasure, in seconds")
    names = ("rows", "files", "search", "verify", "deep")
    for name in ("lake", "its photos", "lake MB", *names, "in all", "others"):
        table.add_column(name, justify="right")
    for lake in lakes:
        whole = sum(lake[part] for part in ENDS)
        table.add_row(
            f"{lake['size']:,}",
            f"{lake['own']:,}",
            f"{lake['bytes'] / 1e6:,.0f}",
            *(f"{lake[name]:,.1f}" for name in names),
            f"{whole:,.1f}",
            f"{lake['others']:.0%}",
        )
    console.print(table)


def parse() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lakes", type=int, nargs="*", default=[5000, 20000], metavar="N")
    parser.add_argument("--subject", type=int, default=20, metavar="N", help="the person's photos")
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
        originals = list(map(Path, task.pop("originals")))
        work = words.task.parent
        (work / "result.json").write_text(json.dumps(erasure(work, originals, **task)))
        return 0
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="fruit-lake-benchmark-") as made:
        originals = sorted(originals_of(words.photos, work=Path(made)).rglob("*.jpg"))
        lakes = [measured(originals, console, size=size, own=words.subject) for size in words.lakes]
    show(console, lakes)
    if words.json:
        words.json.write_text(json.dumps(lakes, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
