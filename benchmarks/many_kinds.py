"""How long a training on many kinds takes.

    python benchmarks/many_kinds.py [--photos FOLDER] [--count PHOTOS] [--kinds KINDS] [--place FOLDER]

The kinds of the photos (by default those of ../shared/photos, which have 28) become more by turning their
colours: each shift of the hue is a kind of its own. `run.py --layer all` takes so many photos in, by default
2,640 of 81 kinds, and `run.py train` trains on them. What is shown is the wall time of both, with the start
of Python and Spark, and what `train` says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.judged_place import LOG, exit_code, run
from conf.errors import BadInput

Job = tuple[Path, Path, int]
"""A photo, the file to write, and by how much to shift the hue, of 256."""


def jobs(photos: Path, landing: Path, *, count: int, kinds: int) -> list[Job]:
    """Return so many photos of so many kinds to write, spread over the kinds of the photos and the shifts.

    Raises BadInput where the photos are too few.
    """
    of_kind = {folder: sorted(folder.glob("*.jpg")) for folder in sorted(photos.iterdir())}
    names = [folder for folder, files in of_kind.items() if files]
    if not names:
        raise BadInput(f"{photos} has no folder with a .jpg; name another one with --photos.")
    shifts = -(-kinds // len(names))
    made = islice(((shift, name) for shift in range(shifts) for name in names), kinds)
    each = [
        [
            (file, landing / f"{name.name}-{shift}" / file.name, 256 * shift // shifts)
            for file in of_kind[name]
        ]
        for shift, name in made
    ]
    found = list(islice(_in_turn(each), count))
    if len(found) < count:
        raise BadInput(
            f"{photos} gives {len(found):,} photos of {kinds} kinds; ask for fewer with --count."
        )
    return found


def _in_turn(each: list[list[Job]]) -> Iterator[Job]:
    """Yield the first of each list, then the second of each, and so on."""
    for place in range(max(map(len, each))):
        yield from (own[place] for own in each if place < len(own))


def write(job: Job) -> None:
    """Write a photo with its hue shifted."""
    photo, file, shift = job
    with Image.open(photo) as image:
        hsv = np.array(image.convert("HSV"))
    hsv[..., 0] += np.uint8(shift)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(hsv, "HSV").convert("RGB").save(file, quality=90)


def judge(place: Path, photos: Path, console: Console, *, count: int, kinds: int) -> bool:
    """Take the photos in, train on them, and show how long both take."""
    landing = place / "landing"
    with ProcessPoolExecutor() as pool:
        list(pool.map(write, jobs(photos, landing, count=count, kinds=kinds), chunksize=32))
    overrides = [f"paths.landing={landing}", f"paths.lake={place / 'lake'}"]
    for words in (["--layer", "all"], ["train"]):
        seconds = run(place, *words, overrides=overrides).seconds
        told = f"run.py {' '.join(words)}: {seconds:.0f} s for {count:,} photos of {kinds} kinds"
        console.print(told, highlight=False)
    console.print((place / LOG).read_text(), markup=False, highlight=False)
    return True


def main() -> int:
    """Train on many kinds, and return 0 where the commands end well."""
    parser = argparse.ArgumentParser(description="Times a training on many kinds.")
    parser.add_argument("--photos", type=Path, help="the folder of the photos")
    parser.add_argument("--count", type=int, default=2_640)
    parser.add_argument("--kinds", type=int, default=81)
    parser.add_argument("--place", type=Path, help="an empty folder to work in, which is kept")
    words = parser.parse_args()
    timed = partial(judge, count=words.count, kinds=words.kinds)
    return exit_code(timed, photos=words.photos, place=words.place)


if __name__ == "__main__":
    sys.exit(main())
