"""The search for an erased subject. It compares tombstones and photo ids, and knows no name in clear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from lake.context import Context
from lake.known_keys import keys_of
from lake.pseudonyms import Pseudonyms
from lake.subject_paths import hidden_names
from privacy import tombstones
from privacy.erasure import keyed_names
from privacy.erasure.erasure_request import ErasureRequest

HEX_RUN = re.compile(rb"[0-9a-fA-F]{64,}")
ID_LENGTH = 64
"""The number of hex digits of a pseudonym, a photo id or a tombstone."""

DIGITS_ALIKE = bytes(48 if each in b"0123456789abcdefABCDEF" else 32 for each in range(256))
"""A table that makes a `0` of each hex digit and a space of each other byte, so that runs are found fast."""

MOST_KNOWN = 100_000
"""The pseudonyms of which is remembered whether they are the subject's."""


@dataclass(frozen=True, repr=False)
class SubjectMatcher:
    """What identifies one erased subject, or one erased photo (`of_photo`).

    `subject` is the tombstone of the subject or of the photo's id, and `photo_ids` are the photos that were
    erased. `tombstones` are all tombstones that hold, which include those of the photos' bytes.
    """

    pseudonyms: Pseudonyms
    subject: str
    photo_ids: frozenset[str]
    tombstones: frozenset[str]
    of_photo: bool = False
    _known: dict[str, bool] = field(default_factory=dict)

    @cached_property
    def known_keys(self) -> frozenset[bytes]:
        """The keys of the erased photos in bronze/known_keys."""
        return frozenset(keys_of(self.photo_ids).to_pylist())

    def is_subject(self, pseudonym: str | None) -> bool:
        """Return whether a pseudonym is the subject's."""
        if pseudonym is None:
            return False
        if pseudonym not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[pseudonym] = self.pseudonyms.tombstone(pseudonym) == self.subject
        return self._known[pseudonym]

    def is_hidden_in(self, path: str | None) -> bool:
        """Return whether a path names the subject, though a lake of format 4 found no subject in it."""
        names = hidden_names(path, self.pseudonyms.names)
        return any(self.is_subject(self.pseudonyms.subject(name)) for name in names)

    def is_erased(self, original: str | None, subject: str | None) -> bool:
        """Return whether bytes were erased and belong to no other subject.

        `original` is the keyed hash of the bytes, and `subject` the pseudonym that they came with, if any.
        """
        return (
            original is not None
            and subject is None
            and self.pseudonyms.tombstone(original) in self.tombstones
        )

    def are_erased(self, content: bytes, subject: str | None) -> bool:
        """Return whether bytes are an erased photo: one without a subject, or where a photo was erased also
        one of the pseudonym `subject`. The same bytes of another subject are that subject's photo."""
        original = self.pseudonyms.originals(content)
        if self.of_photo:
            keys = self.pseudonyms
            photo_id = keys.photo_ids.of(content, original=original, subject=subject)
            known = {keys.tombstone(photo_id)}
            if subject is not None:
                known.add(keys.subjects_photo_tombstone(subject, original))
            if not known.isdisjoint(self.tombstones):
                return True
        return self.is_erased(original, subject)

    def in_bytes(self, content: bytes) -> str | None:
        """Return what of the subject stands in raw bytes, such as "a photo id"; None where nothing does."""
        for run in _hex_runs(content):
            for candidate in _possible_ids(run):
                if candidate in self.photo_ids:
                    return "a photo id"
                if self.is_subject(candidate):
                    return "the pseudonym"
        return self.name_in_bytes(content)

    def name_in_bytes(self, content: bytes) -> str | None:
        """Return "the subject's name" where it stands in raw bytes behind the word `subject`, else None."""
        names = keyed_names.candidates(content)
        pseudonyms = map(self.pseudonyms.subject, names)
        tombstone = self.pseudonyms.tombstone
        if any(tombstone(each) == self.subject for each in pseudonyms):
            return "the subject's name"
        return None

    def redacted(self, content: bytes) -> bytes:
        """Return the same text, in which `erased` stands in the place of the subject's ids."""
        return HEX_RUN.sub(
            lambda run: b"erased" if self.in_bytes(run.group()) else run.group(), content
        )


def matcher_for(context: Context, erasure: ErasureRequest) -> SubjectMatcher:
    """Return the search for what a request erased, by the tombstones that hold now."""
    holding = tombstones.holding(context.lake, now=context.now)
    return matcher_of(context.pseudonyms, erasure, holding)


def matcher_of(
    pseudonyms: Pseudonyms, erasure: ErasureRequest, holding: frozenset[str]
) -> SubjectMatcher:
    """Return the search for what a request erased, by the tombstones `holding`."""
    return SubjectMatcher(
        pseudonyms, erasure.subject, erasure.photo_ids, holding, of_photo=erasure.of_photo
    )


def _hex_runs(content: bytes) -> Iterator[bytes]:
    """Yield the runs of hex digits that are long enough for an id."""
    alike = content.translate(DIGITS_ALIKE)
    start = alike.find(b"0" * ID_LENGTH)
    while start >= 0:
        end = alike.find(b" ", start)
        end = end if end >= 0 else len(content)
        yield content[start:end]
        start = alike.find(b"0" * ID_LENGTH, end)


def _possible_ids(run: bytes) -> Iterator[str]:
    """Yield every stretch of `ID_LENGTH` digits within a longer run of hex digits."""
    text = run.decode().lower()
    return (text[start : start + ID_LENGTH] for start in range(len(text) - ID_LENGTH + 1))
