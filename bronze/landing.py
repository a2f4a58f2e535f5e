"""The landing folder, on this machine or in a bucket: its objects, whose they are, and their bytes.

Listing reads metadata only. Each object is read by itself, so that one bad object is one row. Spark's own
file source is not used: it takes `[1]` and `{a,b}` in a name for globs, skips names that begin with `_` or
`.`, and fails as a whole at a colon.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Protocol, Self

from bronze.labels import Labels, Lack
from bronze.passed_over import PassedOver
from conf.errors import BadInput, FruitLakeError
from conf.settings import Settings
from lake.pseudonyms import Pseudonyms
from lake.storage.addresses import within
from lake.storage.folder import Folder, StoredKind, StoredObject
from lake.storage.locate import folder
from lake.subject_paths import read


@dataclass(frozen=True, slots=True)
class LandingObject:
    """One version of an object, as it was listed. `path` is relative to the root, with `/` between its parts.

    `size` in bytes; `tag` changes with the content, where the storage has such a tag. `is_archived`: S3 gives
    it to nobody before it is restored there.
    """

    path: str
    size: int
    modified_ns: int
    tag: str = ""
    is_archived: bool = False

    @property
    def etag(self) -> str:
        """A text that changes when the object does: its tag, or else its modification time in ns and its
        size in bytes."""
        return self.tag or f"{self.modified_ns}-{self.size}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A landing object and what its path says. Only `landing.path` holds the original name.

    `key` is the keyed hash of the path, `stored_path` is what bronze keeps of the path. `is_tombstoned`: the
    object's subject was erased. `is_uncertain`: the path looks like a subject's, and nobody can say whose.
    Objects of both kinds are never read, and nothing of their path is kept but that hash. `erased_photos`
    are tombstones of the bytes of single photos of the subject that were erased. `lack` may say why there is
    no label.
    """

    landing: LandingObject
    position: int
    key: str
    subject: str | None
    label: str | None
    stored_path: str
    is_tombstoned: bool = False
    is_uncertain: bool = False
    erased_photos: frozenset[str] = frozenset()
    split: str | None = None
    lack: Lack | None = None

    def tombstoned(self) -> Arrival:
        """The same object, marked as one of an erased subject."""
        return replace(
            self,
            subject=None,
            label=None,
            split=None,
            lack=None,
            stored_path="",
            is_tombstoned=True,
        )


@dataclass(slots=True)
class ListingCounts:
    """What a listing of a landing folder has met so far: objects, folders below it that could not be listed,
    objects that are passed over, and links and special files."""

    objects: int = 0
    closed_folders: int = 0
    passed_over: int = 0
    links: int = 0


class Listing(Protocol):
    """Objects of a landing folder that a run looks at."""

    @property
    def is_whole(self) -> bool:
        """Whether they are all that lie there."""
        ...

    def objects(self, counts: ListingCounts) -> Iterator[LandingObject]:
        """Yields the objects as they are found, and counts what is met. Raises BadInput where they can't be
        listed."""
        ...


class Landing:
    """The folder where photos arrive, but for what is `passed_over`. Workers get its address, and open it
    themselves. As a `Listing` it is that of the whole folder."""

    is_whole: ClassVar[bool] = True

    def __init__(self, root: str, *, passed_over: PassedOver | None = None) -> None:
        self.root = root
        self._passed_over = passed_over or PassedOver()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the landing folder that the settings name."""
        return cls(settings.paths.landing, passed_over=PassedOver(settings.landing.passed_over))

    def __reduce__(self) -> tuple[type[Landing], tuple[str]]:
        # A worker may work in another folder, from which a relative address would lead nowhere.
        return type(self), (self.files.root,)

    @cached_property
    def files(self) -> Folder:
        """The folder as the storage has it, with what is passed over."""
        return folder(self.root)

    @property
    def readers(self) -> int:
        """How many objects one worker reads at once."""
        return self.files.readers

    def check(self) -> None:
        """Raises BadInput where there is no such folder."""
        if not self.files.is_there():
            raise BadInput(
                f"The landing folder {self.root} doesn't exist; make it and put photos there, "
                f"name another with --landing, or fill it with --samples N."
            )

    def objects(self, counts: ListingCounts | None = None) -> Iterator[LandingObject]:
        """Yields every object below the root that is not passed over, as they are found, and counts what is
        met. Raises BadInput where there is no such folder, or it can't be listed."""
        self.check()
        yield from self.taken(self.files.listing(), counts or ListingCounts())

    def taken(
        self, stored: Iterable[StoredObject], counts: ListingCounts
    ) -> Iterator[LandingObject]:
        """Yields those of some stored objects that are not passed over, and counts what is met. Raises
        BadInput where they can't be listed."""
        try:
            for each in stored:
                if self._passed_over.matches(each.name):
                    counts.passed_over += 1
                elif each.kind is StoredKind.CLOSED:
                    counts.closed_folders += 1
                elif each.kind is StoredKind.LINK:
                    counts.links += 1
                else:
                    counts.objects += 1
                    facts = (each.name, each.size, each.modified_ns, each.tag, each.is_archived)
                    yield LandingObject(*facts)
        except OSError as error:
            if isinstance(error, FruitLakeError):  # a bucket's, which says itself what to do
                raise
            raise BadInput(
                f"The landing folder {self.root} can't be listed ({error.strerror}); "
                f"give this process the right to list it, or name another with --landing."
            ) from None

    def read(self, listed: LandingObject) -> bytes:
        """The bytes of an object. Raises ObjectGone where it vanished or is another version now,
        ObjectUnreadable where it can't be read."""
        return self.files.read_listed(self._stored(listed))

    def is_readable(self, listed: LandingObject) -> bool:
        """Whether the first byte of an object can be read, or its end."""
        return self.files.can_read(self._stored(listed))

    def _stored(self, listed: LandingObject) -> StoredObject:
        return StoredObject(
            self.files,
            listed.path,
            listed.size,
            modified_ns=listed.modified_ns,
            tag=listed.tag,
        )


def arrival(
    landing: LandingObject, *, position: int, pseudonyms: Pseudonyms, labels: Labels | None = None
) -> Arrival:
    """An object at a position of the listing, and what its path says: its subject's pseudonym and its label.

    The subject is what follows `subject=` in the name of a folder, in any spelling that is certain
    (`lake.subject_paths`). `labels` is the rule for labels, by default that of the shipped settings. The path
    of a subject's object is kept as its pseudonym and a keyed hash.
    """
    reading = read(landing.path, pseudonyms.names)
    given = (labels or Labels(rule=pseudonyms.names)).given_to(landing.path, reading)
    key = pseudonyms.path(landing.path)
    if reading.is_uncertain:
        return Arrival(landing, position, key, None, None, "", is_uncertain=True)
    pseudonym, stored_path = None, _text(landing.path)
    if reading.subject is not None:
        pseudonym = pseudonyms.subject(reading.subject)
        stored_path = f"subject={pseudonym}/{key}"
    return Arrival(
        landing,
        position,
        key,
        pseudonym,
        given.label,
        stored_path,
        split=given.split,
        lack=given.lack,
    )


def _text(name: str) -> str:
    """The name as valid Unicode, which Arrow insists on."""
    return os.fsencode(name).decode(errors="replace")


def overlap(landing: str, lake: str) -> bool:
    """Whether one of the two folders lies in the other: the lake's own files would arrive as photos."""
    return within(landing, lake) or within(lake, landing)
