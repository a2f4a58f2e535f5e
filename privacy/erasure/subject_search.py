"""What an erasure looks for, and how it knows it: by tombstones and photo ids, never by a name in clear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lake.pseudonyms import Pseudonyms
from privacy.erasure.request_journal import ErasureRequest

HEX = re.compile(rb"[0-9a-fA-F]{64,}")
NAMED = re.compile(rb"subject=([^/\\\x00-\x1f\"'<>]+)")
ID = 64


@dataclass(frozen=True, repr=False)
class SubjectSearch:
    """One erased subject: its tombstone, its photos, and the tombstones of all erased photos' bytes."""

    keys: Pseudonyms
    subject: str
    photo_ids: frozenset[str]
    tombstones: frozenset[str]
    _known: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def of(
        cls, erasure: ErasureRequest, *, keys: Pseudonyms, tombstones: frozenset[str]
    ) -> SubjectSearch:
        """What a request erased; `tombstones` are those that hold."""
        return cls(keys, erasure.subject, erasure.photo_ids, tombstones)

    def is_subject(self, pseudonym: str | None) -> bool:
        """Whether a pseudonym is the subject's."""
        if pseudonym is None:
            return False
        if pseudonym not in self._known:
            self._known[pseudonym] = self.keys.tombstone(pseudonym) == self.subject
        return self._known[pseudonym]

    def is_erased(self, original: str | None, subject: str | None) -> bool:
        """Whether bytes with that keyed hash were erased, and are nobody else's."""
        return (
            original is not None
            and subject is None
            and self.keys.tombstone(original) in self.tombstones
        )

    def in_bytes(self, content: bytes) -> str | None:
        """What of the subject stands in raw bytes: a photo id, the pseudonym or the name; None: nothing."""
        for run in HEX.findall(content):
            for word in _words(run):
                if word in self.photo_ids:
                    return "a photo id"
                if self.is_subject(word):
                    return "the pseudonym"
        for name in NAMED.findall(content):
            text = name.decode(errors="surrogateescape")
            if self.is_subject(self.keys.subject(text)):
                return "the subject's name"
        return None

    def redacted(self, content: bytes) -> bytes:
        """The same text without the subject's ids."""
        return HEX.sub(
            lambda run: b"erased" if self.in_bytes(run.group()) else run.group(), content
        )


def _words(run: bytes) -> Iterator[str]:
    """Every stretch of a run of hex digits that may be an id."""
    text = run.decode().lower()
    return (text[start : start + ID] for start in range(len(text) - ID + 1))
