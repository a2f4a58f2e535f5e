"""How long somebody waits for the page's answer to a photo, and for `status`, `similar` and `report`.

    python benchmarks/page_latency.py --lake FOLDER PHOTO… [--times N] [--json FILE]

How to read it: `photo` is a request over loopback, from its first byte to the answer's last, N of them in
turn over the photos, once the server is warm; `picture` that of a small picture. The commands are whole
processes, three each, Python's start with them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
JPEG = {"Content-Type": "image/jpeg"}
PROCESSES = 3


@contextmanager
def served(lake: str | Path) -> Iterator[str]:
    """The address of the page over a lake."""
    words = [sys.executable, str(ROOT / "run.py"), "serve", "--port", "0", "--lake", str(lake)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdout
        found = re.match(r"http\S+", serving.stdout.readline())
        assert found, "the server did not start"
        try:
            yield found[0]
        finally:
            serving.terminate()


def seconds(work: Callable[[], object]) -> float:
    """That it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def requests(address: str, photos: Sequence[Path], *, times: int) -> dict[str, list[float]]:
    """Seconds of each request."""
    found: dict[str, list[float]] = {"photo": [], "picture": []}
    with httpx.Client(base_url=address, timeout=60) as client:

        def ask(content: bytes) -> str:
            answer = client.post("/api/photos", content=content, headers=JPEG).raise_for_status()
            return str(answer.json()["similar"][0]["photo_id"])

        contents = [photo.read_bytes() for photo in photos]
        nearest = [ask(content) for content in contents]
        for content in islice(cycle(contents), times):
            found["photo"].append(seconds(lambda content=content: ask(content)))
        for photo_id in islice(cycle(nearest), times):
            path = f"/api/photos/{photo_id}/picture"
            found["picture"].append(seconds(lambda path=path: client.get(path)))
    return found


def commands(lake: str, photo: Path) -> dict[str, list[float]]:
    """Seconds of each process."""
    each = {
        "status": ["status"],
        "similar": ["similar", str(photo)],
        "report": ["report", "--out", "/dev/null"],
    }

    def run(words: Sequence[str]) -> None:
        command = [sys.executable, str(ROOT / "run.py"), *words, "--lake", lake]
        subprocess.run(command, check=True, capture_output=True)

    return {
        name: [seconds(lambda words=words: run(words)) for _ in range(PROCESSES)]
        for name, words in each.items()
    }


def main() -> None:
    """All of it, as a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--lake", required=True)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    with served(words.lake) as address:
        found = requests(address, words.photos, times=words.times)
    found |= commands(words.lake, words.photos[0])
    table = Table("what", "times", "median ms", "95 % within", "at most")
    for name, taken in found.items():
        ordered = sorted(taken)
        shown = (median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])
        table.add_row(name, str(len(taken)), *(f"{value * 1e3:,.0f}" for value in shown))
    Console().print(table)
    if words.json:
        words.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
