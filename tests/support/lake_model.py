"""What bronze holds after a history of acts, by a simple model in memory: no chunk, no key, no index."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple

BROKEN = "broken"
"""The content of a file that is no photo."""


class Photo(NamedTuple):
    """A photo is its subject's own: the same content of somebody else is another photo."""

    subject: str | None
    content: str


class File(NamedTuple):
    """A version of a landing object. `modified` orders all versions of a history."""

    path: str
    modified: int
    content: str

    @property
    def subject(self) -> str | None:
        """The subject that the path names."""
        first = self.path.split("/")[0]
        return first.removeprefix("subject=") if first.startswith("subject=") else None

    @property
    def label(self) -> str:
        """The label that the path tells."""
        return self.path.split("/")[-2].removeprefix("label=")

    @property
    def photo(self) -> Photo:
        """The photo that it holds."""
        return Photo(self.subject, self.content)


@dataclass(frozen=True)
class Seen:
    """A row of bronze/objects: what became of a version in which act, of whom it is known to be, and what it
    told. `has_path` and `has_left` mark a contradiction to its photo."""

    came: int
    outcome: str
    subject: str | None = None
    photo: Photo | None = None
    told: str | None = None
    has_path: bool = False
    has_left: bool = False


class Held(NamedTuple):
    """A row of bronze/photos: the act in which the photo came, and its label."""

    came: int
    label: str


@dataclass
class LakeModel:
    """A landing folder and what bronze made of it. Each act adds 1 to `act`.

    `subjects` and `photos_kept_out` are tombstones of subjects, and of photos of a subject; `contents` are
    those of bytes, which keep out what comes without a subject.
    """

    landing: dict[str, File] = field(default_factory=dict)
    seen: dict[tuple[str, int], Seen] = field(default_factory=dict)
    photos: dict[Photo, Held] = field(default_factory=dict)
    subjects: set[str] = field(default_factory=set)
    photos_kept_out: set[Photo] = field(default_factory=set)
    contents: set[str] = field(default_factory=set)
    act: int = 0

    def put(self, path: str, modified: int, content: str) -> None:
        """A file is put under a path, whatever lay there."""
        self.landing[path] = File(path, modified, content)

    def run(self) -> None:
        """Bronze takes in what is new, and gives photos other labels."""
        new = [f for f in self.landing.values() if (f.path, f.modified) not in self.seen]
        for file in sorted(new, key=lambda f: (f.modified, f.path)):
            self.seen[file.path, file.modified] = self._taken_in(file)
        self._relabel()

    def _taken_in(self, file: File) -> Seen:
        photo, subject = file.photo, file.subject
        if subject in self.subjects:
            return Seen(self.act, "tombstoned")
        if photo in self.photos_kept_out or (subject is None and file.content in self.contents):
            return Seen(self.act, "tombstoned", subject)
        if file.content == BROKEN:
            return Seen(self.act, "rejected", subject)
        if photo in self.photos:
            contradicts = file.label != self.photos[photo].label
            return Seen(self.act, "duplicate", subject, photo, file.label, has_path=contradicts)
        self.photos[photo] = Held(self.act, file.label)
        return Seen(self.act, "stored", subject, photo, file.label)

    def _relabel(self) -> None:
        marked = {row.photo for row in self.seen.values() if row.has_path or row.has_left}
        for photo in marked & self.photos.keys():
            rows = {version: row for version, row in self.seen.items() if row.photo == photo}
            there = {v: row for v, row in rows.items() if self._lies_there(v)}
            told, held = {row.told for row in there.values()}, self.photos[photo].label
            if held not in told and len(told) == 1:
                [held] = told
            self.photos[photo] = self.photos[photo]._replace(label=held)
            is_conflict = bool(told - {held})
            for version, row in rows.items():
                left = version not in there and row.told != held
                has_path = version in there and is_conflict
                self.seen[version] = replace(row, has_path=has_path, has_left=left)

    def _lies_there(self, version: tuple[str, int]) -> bool:
        file = self.landing.get(version[0])
        return file is not None and file.modified == version[1]

    def erase_subject(self, subject: str) -> None:
        """A subject's photos go, with copies of nobody, and may not come again."""
        own = {photo for photo in self.photos if photo.subject == subject}
        self._erase(own, subject)
        self.subjects.add(subject)

    def erase_photo(self, photo: Photo) -> None:
        """One photo goes, with copies of nobody, and may not come again from its subject."""
        self._erase({photo}, photo.subject, of_photo=True)
        self.photos_kept_out.add(photo)

    def _erase(self, own: set[Photo], subject: str | None, *, of_photo: bool = False) -> None:
        contents = {photo.content for photo in own}
        gone = {p for p in self.photos if p in own or (p.subject is None and p.content in contents)}
        for path, file in [*self.landing.items()]:
            is_theirs = not of_photo and file.subject == subject is not None
            if is_theirs or (file.content in contents and file.subject in (None, subject)):
                del self.landing[path]
        for version, row in [*self.seen.items()]:
            if row.photo in gone or (row.subject == subject is not None and not of_photo):
                del self.seen[version]
        for photo in gone:
            del self.photos[photo]
        self.contents |= contents

    def lift(self, subject: str) -> None:
        """A subject may send photos again; copies of nobody stay out."""
        self.subjects.discard(subject)

    def expire(self, until: int) -> None:
        """What came up to an act goes; its versions stay known."""
        old = {photo for photo, held in self.photos.items() if held.came <= until}
        for version, row in self.seen.items():
            if row.photo in old or (row.outcome == "rejected" and row.came <= until):
                self.seen[version] = Seen(row.came, "expired")
        for photo in old:
            del self.photos[photo]

    def restore(self, then: dict[Photo, Held]) -> None:
        """bronze/photos gets back what it held then, but for photos that went since."""
        stored = {(row.photo, row.came) for row in self.seen.values() if row.outcome == "stored"}
        back = {photo: held for photo, held in then.items() if (photo, held.came) in stored}
        stay = {p: held for p, held in self.photos.items() if then.get(p) == held}
        self.photos = stay | back
        for version, row in [*self.seen.items()]:
            if row.photo is not None and row.photo not in self.photos:
                del self.seen[version]
            elif row.photo is not None and not (row.has_path or row.has_left):
                contradicts = row.told != self.photos[row.photo].label
                self.seen[version] = replace(row, has_left=contradicts)

    def outcomes(self) -> Counter[str]:
        """The number of versions by what became of them."""
        return Counter(row.outcome for row in self.seen.values())

    def objects(self) -> list[tuple[object, ...]]:
        """The rows of bronze/objects, in an order of their own."""
        return sorted(
            (
                *version,
                row.outcome,
                *map(str, (row.subject, row.photo, row.told)),
                row.has_path,
                row.has_left,
            )
            for version, row in self.seen.items()
        )

    def labels(self) -> list[tuple[str, str]]:
        """The photos and their labels, in an order of their own."""
        return sorted((str(photo), held.label) for photo, held in self.photos.items())
