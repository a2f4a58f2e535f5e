"""The pseudonyms and the secret behind them. The secret lies outside the lake, which has only its
fingerprint.

A pseudonym is an HMAC-SHA256 (RFC 2104). Each kind of pseudonym has a key of its own that is derived from the
secret, so that one kind can't be turned into another.

A lake may have imported the tombstones of another lake, which has another secret. It keeps each as a
tombstone of that tombstone: whoever asks whether a person is kept out makes the other lake's tombstone first.

A lake that got a new secret keeps its pseudonyms by hashing them once more. A pseudonym under the new secret
is the hash of the tombstone under the earlier secret of the earlier pseudonym. So tombstones, of which nobody
can tell the pseudonym, follow their pseudonyms to the new secret, and no name is needed. Whoever knows the
earlier secret alone can calculate no pseudonym of today, and whoever wants to calculate one needs both.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from lake.subject_names import NameRule


class PseudonymKind(StrEnum):
    """What a pseudonym is of: a data subject, a landing path, the bytes of a photo, or a photo (its id)."""

    SUBJECT = "subject"
    PATH = "path"
    ORIGINAL = "original"
    PHOTO = "photo"


class PhotoIdRule(StrEnum):
    """How a lake makes the ids of photos: by SHA-256, which everybody can calculate (format 4); by an HMAC of
    the bytes (format 5); or by an HMAC of the keyed hash of the bytes, which follows to a new secret."""

    PLAIN = ""
    KEYED = "keyed"
    OF_ORIGINAL = "of_original"


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """The pseudonyms of subjects, of landing paths and of photos' bytes. Each is 64 hex digits.

    `names` is the lake's rule for names: two spellings of one name have one pseudonym. `photo_id_rule` says
    how the ids of photos are made. `imported` are the pseudonyms of the lakes whose tombstones the lake has
    imported. `earlier` are those of the secret before this one, where the lake got a new one.
    """

    secret: bytes
    names: NameRule = field(default_factory=NameRule)
    photo_id_rule: PhotoIdRule = PhotoIdRule.OF_ORIGINAL
    imported: tuple[Pseudonyms, ...] = ()
    earlier: Pseudonyms | None = None

    def subject(self, name: str) -> str:
        """Return the pseudonym of a data subject, by any spelling of the name."""
        return self._subjects(os.fsencode(self.names.name(name)))

    def path(self, path: str) -> str:
        """Return the keyed hash of a path under the landing root."""
        return self._paths(os.fsencode(path))

    def moved(self, kind: PseudonymKind) -> KeyedHash:
        """Return what makes a pseudonym of a kind from the one under the `earlier` secret, as bytes. Workers
        get it: it can make no pseudonym of a name."""
        assert self.earlier is not None
        return KeyedHash(self._derived(kind), after=self.earlier.tombstones)

    def ids_since(self, photo_id: str) -> Iterator[str]:
        """Yield the id of a photo, and what became of it if it is one of an earlier secret, of a photo that
        the lake no longer held when it moved."""
        yield photo_id
        for each in self.earlier.ids_since(photo_id) if self.earlier else ():
            yield self.moved(PseudonymKind.PHOTO)(each.encode())

    def moved_tombstone(self, kind: PseudonymKind, tombstone: str) -> str:
        """Return the tombstone of a pseudonym of a kind by its tombstone under the `earlier` secret."""
        return self.tombstone(KeyedHash(self._derived(kind))(tombstone.encode()))

    def tombstone(self, pseudonym: str) -> str:
        """Return the tombstone of a subject's pseudonym, or of the hash `original` of a photo's bytes.

        It keeps the subject or the photo out. The pseudonym or hash can't be calculated from it.
        """
        return self.tombstones(pseudonym.encode())

    def subjects_photo_tombstone(self, subject: str, original: str) -> str:
        """Return the tombstone of one photo of a subject, by the subject's pseudonym and the hash `original`.

        It is the subject's tombstone and that of the bytes, one behind the other: 128 hex digits. So each
        half follows to another lake or another secret as such a tombstone does.
        """
        return self.tombstone(subject) + self.tombstone(original)

    def subject_tombstones(self, spellings: Iterable[str]) -> frozenset[str]:
        """Return every tombstone that keeps out a subject of one of these spellings, imported ones too."""
        spellings = frozenset(spellings)
        names = filter(self.names.name, spellings)
        own = {self.tombstone(self.subject(name)) for name in names}
        imported = {
            self.tombstone(tombstone)
            for each in self.imported
            for tombstone in each.subject_tombstones(spellings)
        }
        earlier = self.earlier.subject_tombstones(spellings) if self.earlier else ()
        moved = {self.moved_tombstone(PseudonymKind.SUBJECT, tombstone) for tombstone in earlier}
        return frozenset(own | imported | moved)

    @cached_property
    def photo_tombstones(self) -> PhotoTombstones:
        """What makes the tombstones of photos' bytes. Workers get it."""
        imported = tuple(each.photo_tombstones for each in self.imported)
        moves = KeyedHash(self._derived(PseudonymKind.ORIGINAL))
        earlier = self.earlier.photo_tombstones if self.earlier else None
        return PhotoTombstones(self.originals, self.tombstones, imported, moves, earlier)

    @property
    def name_rules(self) -> frozenset[NameRule]:
        """The lake's rule for names, and those of the lakes whose tombstones it has imported."""
        others = (*self.imported, *([self.earlier] if self.earlier else []))
        return frozenset([self.names]).union(*(each.name_rules for each in others))

    def makes_tombstones_of(self, other: Pseudonyms) -> bool:
        """Return whether tombstones of these pseudonyms and of the others are the same."""
        own, theirs = self.names, other.names
        is_one_rule = (own.version, own.folds_case) == (theirs.version, theirs.folds_case)
        if self.secret != other.secret or not is_one_rule:
            return False
        if self.earlier is None or other.earlier is None:
            return self.earlier is other.earlier
        return self.earlier.has_taken(other.earlier) and other.earlier.has_taken(self.earlier)

    def has_taken(self, exporter: Pseudonyms) -> bool:
        """Return whether the tombstones of another lake, and those that it has imported, are known here: they
        are the same, or were imported under this secret or an earlier one."""
        if exporter in self.imported:
            return True
        if self.makes_tombstones_of(exporter) and set(exporter.imported) <= set(self.imported):
            return True
        return self.earlier is not None and self.earlier.has_taken(exporter)

    @property
    def secrets(self) -> Iterator[bytes]:
        """The secret, and those before it, the newest first."""
        yield self.secret
        if self.earlier is not None:
            yield from self.earlier.secrets

    @cached_property
    def originals(self) -> KeyedHash:
        """The hash of photos' bytes. Workers get it, because it can make no other pseudonym."""
        return self._kind(PseudonymKind.ORIGINAL)

    @cached_property
    def photo_ids(self) -> PhotoIds:
        """What makes the ids of photos. Workers get it, because it can make no pseudonym."""
        return PhotoIds(self.photo_id_rule, KeyedHash(self._derived(PseudonymKind.PHOTO)))

    @cached_property
    def tombstones(self) -> KeyedHash:
        """The hash that makes tombstones. Workers get it, because it can make no other pseudonym."""
        return KeyedHash(self._derived("tombstone"))

    @cached_property
    def certificates(self) -> KeyedHash:
        """The hash that authenticates certificates of erasure and the rows of their journal."""
        return KeyedHash(self._derived("certificate"))

    @cached_property
    def exports(self) -> KeyedHash:
        """The hash that authenticates files of exported tombstones."""
        return KeyedHash(self._derived("export"))

    @cached_property
    def _subjects(self) -> KeyedHash:
        return self._kind(PseudonymKind.SUBJECT)

    @cached_property
    def _paths(self) -> KeyedHash:
        return self._kind(PseudonymKind.PATH)

    @property
    def fingerprint(self) -> str:
        """A text that differs between two secrets and reveals nothing about them."""
        return self.fingerprint_with("")

    def fingerprint_with(self, text: str) -> str:
        """Return a fingerprint of the secret that also differs where a text does."""
        return KeyedHash(self._derived("fingerprint"))(text.encode())

    def _kind(self, kind: PseudonymKind) -> KeyedHash:
        """Return the hash that makes pseudonyms of a kind from what they are of."""
        if self.earlier is None:
            return KeyedHash(self._derived(kind))
        before = KeyedHash(self.earlier.tombstones.key, after=self.earlier._kind(kind))
        return KeyedHash(self._derived(kind), after=before)

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self.secret, purpose.encode(), "sha256")


@dataclass(frozen=True, repr=False)
class KeyedHash:
    """A function that returns the HMAC-SHA256 of bytes under one key, as 64 hex digits. With `after`, it is
    the HMAC of what that function returns of the bytes."""

    key: bytes
    after: KeyedHash | None = None

    def __call__(self, content: bytes) -> str:
        """Return the hash of bytes, 64 hex digits."""
        hashed = self.after(content).encode() if self.after else content
        return hmac.digest(self.key, hashed, "sha256").hex()


@dataclass(frozen=True, repr=False)
class PhotoIds:
    """What makes the ids of photos by a rule, of which two need a `key`."""

    rule: PhotoIdRule
    key: KeyedHash

    def of(self, content: bytes, *, original: str, subject: str | None) -> str:
        """Return the id of a photo, 64 hex digits, by its subject's pseudonym, if any, and its bytes as they
        arrived, of which `original` is the keyed hash."""
        if self.rule is PhotoIdRule.OF_ORIGINAL:
            return self.of_original(original, subject=subject)
        named = (subject or "").encode() + content
        return (
            hashlib.sha256(named).hexdigest() if self.rule is PhotoIdRule.PLAIN else self.key(named)
        )

    def of_original(self, original: str, *, subject: str | None) -> str:
        """Return the id of a photo by the newest rule, which needs no bytes."""
        return self.key(f"{subject or ''}{original}".encode())


@dataclass(frozen=True, repr=False)
class PhotoTombstones:
    """What makes the tombstones of photos' bytes, and can make no pseudonym of a person.

    `moves` makes the hash of bytes from its tombstone under the earlier secret, of which `earlier` makes the
    tombstones.
    """

    originals: KeyedHash
    tombstones: KeyedHash
    imported: tuple[PhotoTombstones, ...]
    moves: KeyedHash
    earlier: PhotoTombstones | None

    def of(self, content: bytes, original: str) -> Iterator[str]:
        """Yield every tombstone that keeps these bytes out: the lake's own, and those that were imported.

        `original` is the hash of the bytes by `originals`.
        """
        yield self.tombstones(original.encode())
        yield from self._imported(content)

    def _imported(self, content: bytes) -> Iterator[str]:
        """Yield the tombstones of bytes that were imported, under this secret or an earlier one."""
        for each in self.imported:
            for tombstone in each.of(content, each.originals(content)):
                yield self.tombstones(tombstone.encode())
        for tombstone in self.earlier._imported(content) if self.earlier else ():
            yield self.tombstones(self.moves(tombstone.encode()).encode())


def halves(tombstone: str) -> tuple[str, str]:
    """Return both halves of the tombstone of one photo of a subject. The second half of any other tombstone
    is empty."""
    return tombstone[:64], tombstone[64:]
