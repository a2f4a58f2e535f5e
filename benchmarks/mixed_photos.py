"""Real photos with files as they really come mixed in: each has the right row, and the sums hold.

    python benchmarks/mixed_photos.py [--photos FOLDER] [--place FOLDER]

A landing folder is made of the photos (by default those of ../shared/photos) and of one file or more of each
kind of `mixed_files.py`, made from one of the photos. `run.py --layer all` takes it in. Then a file is moved
to another label, `replay --rejected` takes what was over a limit that has been raised since, and a last run
gives the photo its new label.

What is shown: what each command says, each file with what was expected of it and what the lake holds, and
where the sums of `status` differ from the files. The exit code is 1 where a row or a sum is wrong, or a
command fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.judged_place import LOG, called, exit_code
from benchmarks.mixed_files import DUPLICATE, LIMIT, NO_ROW, File, Shots, files, links
from conf.errors import BadInput
from conf.settings import Settings
from lake import catalog, delta_rs_reader, lake_format
from lake.enums import Outcome
from lake.storage.locate import folder

RAISED = f"photos.max_bytes={2 * LIMIT}"
COMMANDS = (
    ("--layer", "all"),
    ("replay", "--rejected", "--reason", "too_large", "--set", RAISED),
    ("--layer", "all", "--set", RAISED),
    ("status", "--set", RAISED),
    ("status", "--conflicts"),
)
STATUS = ("status", "--json", "--set", RAISED)

Kinds = Mapping[str, list[File]]


def fill(landing: Path, photos: Path) -> Kinds:
    """Copy the photos to the landing folder, write the files of each kind there, and return these.

    Raises BadInput where no photo is there.
    """
    first = min(photos.rglob("*.jpg"), default=None)
    if first is None:
        raise BadInput(f"{photos} holds no .jpg; name another folder with --photos.")
    with Image.open(first) as photo:
        shots = Shots(photo)
    shutil.copytree(photos, landing, dirs_exist_ok=True)
    outside = landing.parent / "outside"
    outside.mkdir()
    (outside / "1.jpg").write_bytes(shots.jpeg())
    made = {**files(shots), "links": links(outside)}
    for each in (file for some in made.values() for file in some):
        path = landing / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if each.link_to:
            path.symlink_to(each.link_to)
        else:
            path.write_bytes(each.content)
    return made


def move(landing: Path, made: Kinds) -> None:
    """Move the files that lie under another label later."""
    for each in (file for some in made.values() for file in some if file.moved_to):
        (landing / each.moved_to).parent.mkdir(exist_ok=True)
        (landing / each.path).rename(landing / each.moved_to)


def rows(place: Path, made: Kinds) -> dict[str, str]:
    """Return what the lake of a place holds of each file, by its path, in the words of `File.row`.

    A photo that silver refuses has the reason behind it, and one that was taken in the future says so.
    """
    settings = Settings.load("local", environment={}, overrides=_paths(place))
    pseudonyms = lake_format.pseudonyms_of(folder(settings.paths.lake), settings.subjects)
    read = {
        table.name: delta_rs_reader.rows(settings.paths.lake, table, columns=columns)
        for table, columns in (
            (catalog.OBJECTS, ["object", "outcome", "photo_id"]),
            (catalog.PHOTOS, ["photo_id", "label", "taken_on"]),
            (catalog.REJECTED, ["object", "reason"]),
            (catalog.QUARANTINE, ["photo_id", "reason"]),
        )
    }
    seen = {row["object"]: row for row in read[catalog.OBJECTS.name]}
    rejected = {row["object"]: row["reason"] for row in read[catalog.REJECTED.name]}
    refused = {row["photo_id"]: row["reason"] for row in read[catalog.QUARANTINE.name]}
    photos = {
        row["photo_id"]: _photo(row, refused.get(row["photo_id"]))
        for row in read[catalog.PHOTOS.name]
    }

    def held(path: str) -> str:
        key = pseudonyms.path(path)
        row = seen.get(key, {"outcome": NO_ROW})
        if row["outcome"] == Outcome.STORED:
            return photos[row["photo_id"]]
        reason = rejected.get(key)
        return f"{row['outcome']}: {reason}" if reason else str(row["outcome"])

    return {each.path: held(each.path) for some in made.values() for each in some}


def _photo(row: Mapping[str, Any], reason: str | None) -> str:
    """Return what is held of a row of bronze/photos, which silver refuses for a reason or for none."""
    is_wrong = row["taken_on"] and row["taken_on"] > datetime.now(UTC).date()
    told = f"photo: {row['label'] or '–'}" + (
        f", but taken on {row['taken_on']}" if is_wrong else ""
    )
    return f"{told}, but {reason}" if reason else told


def wrong_sums(status: Mapping[str, Any], made: Kinds, *, photos: int) -> Iterator[str]:
    """Yield a sentence for each sum of `status --json` that is not that of the files, of which `photos` were
    there before the others were mixed in."""
    mixed = [each for some in made.values() for each in some]
    linked = sum(each.link_to is not None for each in mixed)
    passed_over = sum(each.row == NO_ROW for each in mixed) - linked
    moved = sum(bool(each.moved_to) for each in mixed)
    known = photos + len(mixed) - linked - passed_over - moved
    seen = known + 2 * moved
    conflicts = sum(each.row == DUPLICATE for each in mixed)
    landing = status["landing"]
    parts = {"new": moved, "known": known, "passed over": passed_over, "links": linked}
    told = {
        "listed in the landing folder": (landing["listed"], photos + len(mixed)),
        **{word: (landing["parts"].get(word), each) for word, each in parts.items()},
        "object versions seen": (status["objects"], seen),
        "outcomes": (sum(status["outcomes"].values()), seen),
        "labels in conflict": (status["label_conflicts"], conflicts),
        "rejected": (sum(status["rejected"].values()), status["outcomes"].get(Outcome.REJECTED, 0)),
        "photos": (status["photos"], status["outcomes"].get(Outcome.STORED, 0)),
    }
    for name, (found, expected) in told.items():
        if found != expected:
            yield f"{name}: {found} where {expected} are right"
    yield from status["disagreements"]


def run(place: Path, *words: str) -> tuple[int, str]:
    """Run a command over the folders of a place, and return its exit code and what it prints."""
    code, _ = called(place, *words, overrides=_paths(place))
    return code, (place / LOG).read_text()


def _paths(place: Path) -> list[str]:
    """Return the settings that name the landing folder and the lake of a place."""
    return [f"paths.{name}={place / name}" for name in ("landing", "lake")]


def shown(console: Console, made: Kinds, found: Mapping[str, str]) -> int:
    """Show each file with what is expected of it and what is found, and return how many differ."""
    grid, wrong = Grid("kind", "file", "expected", "found", ""), 0
    for kind, some in made.items():
        for each in some:
            is_wrong = found[each.path] != each.row
            wrong += is_wrong
            cells = (kind, ascii(each.path)[1:-1], each.row, found[each.path])
            grid.add_row(*map(_escaped, cells), "WRONG" if is_wrong else "")
    console.print(grid)
    return wrong


def _escaped(text: str) -> str:
    """Return a text in which nothing is markup."""
    return text.replace("[", "\\[")


def judge(place: Path, photos: Path, console: Console) -> bool:
    """Mix the files into the photos, take all in, and return whether every row and sum is right."""
    made = fill(place / "landing", photos)
    codes = []
    for words in COMMANDS:
        code, said = run(place, *words)
        codes.append(code)
        console.print(f"\nrun.py {' '.join(words)}: exit code {code}", highlight=False)
        console.print(said, markup=False, highlight=False, soft_wrap=True)
        if words is COMMANDS[0]:
            move(place / "landing", made)
    if any(codes):
        return False
    wrong = shown(console, made, rows(place, made))
    code, said = run(place, *STATUS)
    before = sum(path.is_file() for path in photos.rglob("*"))
    sums = [said] if code else list(wrong_sums(json.loads(said), made, photos=before))
    for each in sums:
        console.print(each, markup=False)
    console.print(f"{wrong} rows are wrong, and {len(sums)} sums.")
    return not wrong and not sums


def main() -> int:
    """Make the folder, take it in, and return 0 where each file has its row and the sums hold."""
    parser = argparse.ArgumentParser(description="Takes in photos as they really come.")
    parser.add_argument("--photos", type=Path, help="the folder of the photos")
    parser.add_argument("--place", type=Path, help="an empty folder to work in, which is kept")
    words = parser.parse_args()
    return exit_code(judge, photos=words.photos, place=words.place)


if __name__ == "__main__":
    sys.exit(main())
