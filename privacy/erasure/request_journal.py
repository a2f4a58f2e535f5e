"""The journal of erasures: the table privacy/erasures, which records how far each request has come.

REQUESTED → FENCED (tombstones) → LOGICAL (rows gone) → PHYSICAL (files gone) → VERIFIED → CERTIFIED. A
request whose process died in any state continues from that state.

Each row bears an HMAC over all that it says, and the number and the hash of the last certificate. So a row
that another program changed, left out or added is found, and so is a certificate (`certificate_check`). No
state is taken from such a row. Rows that earlier code wrote, in a lake of format 4, bear no HMAC. They come
before every row that bears one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from lake import catalog, fault_points, lake_format
from lake.enums import ERASE, FITTED_PREFIX, POSSIBLY_FITTED_PREFIX, ErasureState
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake
from lake.storage.folder import Folder
from lake.writable_lake import WritableLake
from privacy.erasure.erasure_request import ErasureRequest


@dataclass(frozen=True)
class Journal:
    """The rows of the journal in the order of their entries, and what of them counts.

    `key` is the one that authenticates rows. `has_earlier_code` says that the lake may hold rows that earlier
    code wrote. `unreadable` has the SHA-256 of each row that says nothing that a request can say.
    """

    rows: Sequence[ErasureRequest]
    key: KeyedHash
    has_earlier_code: bool
    unreadable: Sequence[str] = ()

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], key: KeyedHash, files: Folder) -> Self:
        """Make the journal of the lake under `files` from the rows of privacy/erasures, in any order."""
        found, unreadable = [], []
        for row in rows:
            try:
                request = ErasureRequest.of(row)
                found.append((request.entry + 0, request.sha256, request))
            except (AttributeError, TypeError, ValueError):
                unreadable.append(hashlib.sha256(repr(row).encode()).hexdigest())
        ordered = [request for _, _, request in sorted(found, key=lambda each: each[:2])]
        has_earlier_code = lake_format.is_made_before_certificates(files)
        return cls(ordered, key, has_earlier_code, sorted(unreadable))

    @cached_property
    def authentic(self) -> Sequence[ErasureRequest]:
        """The rows whose HMAC is right."""
        return [row for row in self.rows if row.is_authentic(self.key)]

    @cached_property
    def of_earlier_code(self) -> Sequence[ErasureRequest]:
        """The rows that earlier code wrote. They come before every row that is authentic."""
        rows = self.rows if self.has_earlier_code else ()
        first = self.authentic[0].entry if self.authentic else None
        own = (row for row in rows if row.is_of_earlier_code)
        return [row for row in own if first is None or row.entry < first]

    @cached_property
    def trusted(self) -> Sequence[ErasureRequest]:
        """The rows that this product wrote: those of earlier code, and the authentic ones."""
        return [*self.of_earlier_code, *self.authentic]

    @cached_property
    def foreign(self) -> Sequence[ErasureRequest]:
        """The rows that another program changed or added."""
        own = set(map(id, self.trusted))
        return [row for row in self.rows if id(row) not in own]

    @cached_property
    def last(self) -> Mapping[str, ErasureRequest]:
        """Every request in its last state, by the id of the request."""
        return {row.request: row for row in self.trusted}

    @property
    def number_and_head(self) -> tuple[int, str | None]:
        """The number of the last authenticated certificate and the SHA-256 of its file."""
        last = self.authentic[-1] if self.authentic else None
        return (last.certificates, last.head) if last else (0, None)

    @cached_property
    def certified(self) -> Sequence[ErasureRequest]:
        """The authentic rows, in their order, that each record one more certificate."""
        found: list[ErasureRequest] = []
        for row in self.authentic:
            if row.certificates > (found[-1].certificates if found else 0):
                found.append(row)
        return found

    def was_fenced_before(self, request: str) -> bool:
        """Return whether earlier code, which authenticated no rows, looked for the photos of a request."""
        fenced = ErasureState.FENCED
        return any(row.request == request and row.state is fenced for row in self.of_earlier_code)

    def has_certificate(self, request: str) -> bool:
        """Return whether the journal records a certificate of a request, or its first part."""
        return any(row.request == request for row in self.certified)


def largest(*several: Mapping[str, int]) -> dict[str, int]:
    """Return the largest value of each count: a step that is repeated finds less than the first time.

    A version that was once known to be fitted on the photos is no longer one that only may have been.
    """
    counts: Counter[str] = Counter()
    for each in several:
        counts |= Counter(each)
    fitted = {name.removeprefix(FITTED_PREFIX) for name in counts if name.startswith(FITTED_PREFIX)}
    known = {f"{POSSIBLY_FITTED_PREFIX}{version}" for version in fitted}
    return {name: count for name, count in counts.items() if name not in known}


def read(lake: Lake, key: KeyedHash) -> Journal:
    """Return the journal of a lake. `key` is the one that authenticates its rows."""
    is_empty = not lake.version(catalog.ERASURES)
    return Journal.of([] if is_empty else lake.records(catalog.ERASURES), key, lake.files)


def last(lake: Lake, key: KeyedHash) -> Mapping[str, ErasureRequest]:
    """Return every request in its last state, by the id of the request, as `Journal.last`."""
    return read(lake, key).last


def due(lake: Lake, key: KeyedHash, *, now: datetime) -> list[ErasureRequest]:
    """Return the requests whose old files may be removed at the time `now`, oldest first.

    A row that another program changed or added makes none due, and keeps none from being due.
    """
    return [erasure for erasure in last(lake, key).values() if erasure.is_due(now)]


def reach(
    lake: WritableLake,
    erasure: ErasureRequest,
    state: ErasureState,
    *,
    at: datetime,
    key: KeyedHash,
    certificate_sha256: str | None = None,
    acknowledged: Sequence[str] = (),
    **changes: Any,
) -> ErasureRequest:
    """Record that a request reached a state at the time `at`, and return it in that state. Raises Busy.

    `key` authenticates the row, which follows on the last one that counts. `certificate_sha256` is the hash
    of the certificate that was written in that state, if any. `acknowledged` are the faults that the row
    acknowledges. `changes` are new values of further fields. Rows of other programs stay, as evidence.
    """
    journal = read(lake, key)
    count, head = journal.number_and_head
    changed = replace(
        erasure,
        state=state,
        at=at,
        entry=journal.trusted[-1].entry + 1 if journal.trusted else 1,
        certificates=count + (certificate_sha256 is not None),
        head=certificate_sha256 or head,
        acknowledged=tuple(acknowledged),
        **changes,
    ).authenticated(key)
    row = {
        **vars(changed),
        "state": state.value,
        "photo_ids": sorted(changed.photo_ids),
        "counts": dict(changed.counts),
        "versions_before": dict(changed.versions_before),
        "versions_after": dict(changed.versions_after),
        "run_id": lake.run.run_id,
        "chunk": 0,
    }
    fault_points.at(f"erase: before {state}")
    lake.record(catalog.ERASURES, [row], layer=ERASE)
    fault_points.at(f"erase: {state}")
    return changed
