"""Random histories of a lake: acts on a landing folder and its lake, and on the model of both in memory."""

from __future__ import annotations

import os
import random
import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from lake import catalog, fault_points, known_keys
from lake.enums import BRONZE
from report.lake_counts import sums
from tests.support.bronze_contents import CONTENTS, NAMES, PATHS, SUBJECTS, BronzeContents
from tests.support.kills import Killed
from tests.support.lake_model import Held, LakeModel, Photo
from tests.support.table_contents import repeated

BEGIN = 1_700_000_000
"""The modification time of the first file, in seconds; each later one is one later."""

SETTINGS = (
    "retention.photos=1 day",
    "retention.rejected=1 day",
    "pca.components=2",
    "gates.counted_from=1000",
)

DYING = 0.4
"""The share of runs that die."""

POINTS = (
    "bronze: staged",
    "bronze: bronze/photos committed",
    "bronze: bronze/objects committed",
    "bronze: published",
    "bronze: index of keys made",
    "labelling: staged",
    "labelling: bronze/photos committed",
)
"""The points of a run of bronze at which it may die."""


class History(ABC):
    """One random history: the acts that were done so far on a `place` and on the `model`. `told` has a line
    for each change."""

    def __init__(self, place: Any, chance: random.Random) -> None:
        self._chance = chance
        self._settings = (f"chunks.max_photos={chance.randint(2, 4)}", *SETTINGS)
        self.place = place.set(*self._settings)
        self.model = LakeModel()
        self.told = list(self._settings[:1])
        self._clock = BEGIN
        self._after: dict[int, datetime] = {}
        self._versions: dict[int, tuple[int, dict[Photo, Held]]] = {}

    def do(self, name: str) -> None:
        """Does an act of that name on the place and on the model. One for which there is nothing does
        nothing."""
        self.model.act += 1
        getattr(self, name)()
        self._after[self.model.act] = datetime.now(UTC)
        version = self.place.lake.version(catalog.PHOTOS)
        self._versions[self.model.act] = version, dict(self.model.photos)

    def _tell(self, line: str) -> None:
        self.told.append(f"{self.model.act}. {line}")

    def _change(self) -> None:
        """Files come, are overwritten, moved and deleted."""
        landing, model = self.place.landing, self.model
        for _ in range(self._chance.randint(4, 9)):
            path, lying = self._chance.choice(PATHS), sorted(model.landing)
            way = self._chance.choice(["put", "put", "put", "copy", "move", "delete"])
            file = landing / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if way == "delete" and lying:
                path = self._chance.choice(lying)
                (landing / path).unlink()
                del model.landing[path]
                self._tell(f"delete {path}")
            elif way in ("copy", "move") and lying and path not in lying:
                other = self._chance.choice(lying)
                known = model.landing[other]
                shutil.copy2(landing / other, file)
                model.put(path, known.modified, known.content)
                if way == "move":
                    (landing / other).unlink()
                    del model.landing[other]
                self._tell(f"{way} {other} to {path}")
            else:
                self.put(path, self._chance.choice(NAMES))

    def put(self, path: str, name: str) -> None:
        """A file of a content is put under a path."""
        self._tell(f"put {name} to {path}")
        self._clock += 1
        file = self.place.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(CONTENTS[name])
        os.utime(file, (self._clock, self._clock))
        self.model.put(path, self._clock, name)

    def arrive(self) -> None:
        """A run after the landing folder changed, or one that dies at a point and one that goes on."""
        self._change()
        if self._chance.random() < DYING:
            point, turn = self._chance.choice(POINTS), self._chance.randint(1, 2)
            self._tell(f"run, and die at {point!r} for the {turn}. time")
            self._dies(point, turn)
        self._run()

    def _run(self) -> None:
        self._tell("run")
        self.place.run(BRONZE)
        self.model.run()

    def _dies(self, point: str, turn: int) -> None:
        passed: list[str] = []

        def action(reached: str) -> None:
            passed.append(reached)
            if passed.count(point) == turn:
                raise Killed(point)

        with fault_points.armed(action), suppress(Killed):
            self.place.run(BRONZE)
        self.place.bury()

    def index(self) -> None:
        """The index of keys is made of all that there is."""
        self._tell("make the index")
        with self.place.writing() as context:
            known_keys.fold(context.lake, most=0)

    def empty_index(self) -> None:
        """The index of keys is emptied."""
        self._tell("empty the index")
        with self.place.writing() as context:
            known_keys.forget(context.lake, layer=BRONZE)

    def compact(self) -> None:
        """Small files are joined."""
        self._tell("compact")
        with self.place.writing() as context:
            for table in (catalog.OBJECTS, catalog.PHOTOS, catalog.KNOWN_KEYS):
                context.lake.compact(table)

    def erase_subject(self) -> None:
        """A subject is erased."""
        subject = self._chance.choice(SUBJECTS[1:])
        self._tell(f"erase subject {subject}")
        self.model.erase_subject(subject)
        self._erased(subject=subject)

    def erase_photo(self) -> None:
        """One photo is erased."""
        if self.model.photos:
            photo = self._chance.choice(sorted(self.model.photos, key=str))
            self._tell(f"erase {photo}")
            self.model.erase_photo(photo)
            self._erased(photo=photo)

    @abstractmethod
    def _erased(self, *, subject: str | None = None, photo: Photo | None = None) -> None:
        """Does to the lake and the landing folder what was done to the model."""

    def expire(self) -> None:
        """What came up to an act is past its age."""
        if self._after:
            until = self._chance.choice(sorted(self._after))
            self._tell(f"expire what came up to {until}")
            self.model.expire(until)
            self._expired(self._after[until])

    @abstractmethod
    def _expired(self, until: datetime) -> None:
        """Does to the lake what was done to the model."""

    def restore(self) -> None:
        """bronze/photos gets an earlier version that held other photos, or other labels."""
        held = self.model.photos
        others = [act for act, (_, then) in self._versions.items() if then != held]
        if others:
            to = self._chance.choice(others)
            self._tell(f"restore bronze/photos as after {to}")
            version, then = self._versions[to]
            self.model.restore(then)
            self._restored(version, then)

    @abstractmethod
    def _restored(self, version: int, then: dict[Photo, Held]) -> None:
        """Does to the lake what was done to the model."""

    @property
    def contents(self) -> BronzeContents:
        """What the lake holds now."""
        return BronzeContents(self.place)

    def differences(self) -> list[Any]:
        """What the lake holds otherwise than the model, or twice, and what its sums say."""
        held, lake = sums(self.place.files), self.contents
        pairs = [
            (lake.objects(), self.model.objects()),
            (lake.labels(catalog.PHOTOS), self.model.labels()),
            (held.outcomes.items(), self.model.outcomes().items()),
            (lake.photos_by_chunk().items(), lake.counted_by_chunk().items()),
        ]
        # Two versions of an object that was refused have one path.
        twice = repeated(self.place.lake).keys() - {catalog.REJECTED.name}
        both = [set(ours) ^ set(theirs) for ours, theirs in pairs]
        return [*filter(None, both), *held.disagreements(), *twice]
