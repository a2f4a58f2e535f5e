"""What an erasure looks for, and how it knows it: by tombstones and photo ids, never by a name in clear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lake.context import Context
from lake.pseudonyms import Pseudonyms
from privacy import tombstones
from privacy.erasure.request_journal import ErasureRequest

HEX = re.compile(rb"[0-9a-fA-F]{64,}")
NAMED = re.compile(rb"subject=([^/\\\x00-\x1f\"'<>]+)")
ID = 64


@dataclass(frozen=True, repr=False)
class SubjectSearch:
    """One erased subject: its tombstone, its photos, and the tombstones of all erased photos' bytes."""

    pseudonyms: Pseudonyms
    subject: str
    photo_ids: frozenset[str]
    tombstones: frozenset[str]
    _known: dict[str, bool] = field(default_factory=dict)

    def is_subject(self, pseudonym: str | None) -> bool:
        """Whether a pseudonym is the subject's."""
        if pseudonym is None:
            return False
        if pseudonym not in self._known:
            self._known[pseudonym] = self.pseudonyms.tombstone(pseudonym) == self.subject
        return self._known[pseudonym]

    def is_erased(self, original: str | None, subject: str | None) -> bool:
        """Whether bytes with that keyed hash were erased, and are nobody else's."""
        return (
            original is not None
            and subject is None
            and self.pseudonyms.tombstone(original) in self.tombstones
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
            if self.is_subject(self.pseudonyms.subject(text)):
                return "the subject's name"
        return None

    def redacted(self, content: bytes) -> bytes:
        """The same text without the subject's ids."""
        return HEX.sub(
            lambda run: b"erased" if self.in_bytes(run.group()) else run.group(), content
        )


def search_for(context: Context, erasure: ErasureRequest) -> SubjectSearch:
    """The search for what a request erased, by the tombstones that hold now."""
    held = tombstones.holding(context.lake, now=context.now)
    return SubjectSearch(context.pseudonyms, erasure.subject, erasure.photo_ids, held)


def _words(run: bytes) -> Iterator[str]:
    """Every stretch of a run of hex digits that may be an id."""
    text = run.decode().lower()
    return (text[start : start + ID] for start in range(len(text) - ID + 1))
