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
import hmac
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from lake import catalog, fault_points, lake_format
from lake.enums import ERASE, FITTED_PREFIX, POSSIBLY_FITTED_PREFIX, ErasureState
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake
from lake.storage.folder import Folder
from lake.writable_lake import WritableLake


@dataclass(frozen=True)
class ErasureRequest:
    """One request for erasure in one state, which it reached at the time `at`.

    `subject` is the tombstone of the subject. `counts` has the number of rows by table, the number of landing
    objects (`landing`), and by model version the number of erased photos that it was fitted on
    (`FITTED_PREFIX`) or may have been fitted on (`POSSIBLY_FITTED_PREFIX`). `due_at` is when old files may be
    removed. `certificate` is the id of the request's certificate. `entry` numbers the rows of the journal.
    `certificates` is the number of the lake's last authenticated certificate, and `head` the SHA-256 of its
    file, 64 hex digits. `acknowledged` has the faults of journal and certificates with which `erase
    --acknowledge` went on. `hmac` authenticates the row.
    """

    request: str
    state: ErasureState
    mode: str
    subject: str
    certificate: str
    at: datetime
    entry: int
    photo_ids: frozenset[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    versions_before: Mapping[str, int] = field(default_factory=dict)
    versions_after: Mapping[str, int] = field(default_factory=dict)
    due_at: datetime | None = None
    certificates: int = 0
    head: str | None = None
    acknowledged: Sequence[str] = ()
    hmac: str | None = None

    @property
    def fitted(self) -> list[str]:
        """The names of the model versions that were fitted on the erased photos, or may have been."""
        return sorted(
            name.removeprefix(prefix)
            for prefix in (FITTED_PREFIX, POSSIBLY_FITTED_PREFIX)
            for name in self.counts
            if name.startswith(prefix)
        )

    @property
    def is_of_nothing(self) -> bool:
        """True where the lake and the landing folder held nothing of the subject."""
        return not self.photo_ids and not any(self.counts.values())

    def has_reached(self, state: ErasureState) -> bool:
        """Return whether the request has reached a state, or a later one."""
        order = list(ErasureState)
        return order.index(self.state) >= order.index(state)

    def is_due(self, now: datetime) -> bool:
        """Return whether the rows are gone and, at the time `now`, the old files may be removed."""
        has_old_files = self.state in (
            ErasureState.LOGICAL,
            ErasureState.PHYSICAL,
            ErasureState.VERIFIED,
        )
        return has_old_files and self.due_at is not None and self.due_at <= now

    def is_authentic(self, key: KeyedHash) -> bool:
        """Return whether the HMAC of this row is the one that `key` makes of all that the row says."""
        return hmac.compare_digest((self.hmac or "").encode(), self._hmac(key).encode())

    def authenticated(self, key: KeyedHash) -> Self:
        """Return the same row with its HMAC under `key`."""
        return replace(self, hmac=self._hmac(key))

    @property
    def is_of_earlier_code(self) -> bool:
        """True where the row has nothing of what today's code adds to each."""
        return not (self.hmac or self.certificates or self.head or self.acknowledged)

    @property
    def sha256(self) -> str:
        """The SHA-256 of all that the row says, with its HMAC: 64 hex digits."""
        return hashlib.sha256(self._text() + (self.hmac or "").encode()).hexdigest()

    def _hmac(self, key: KeyedHash) -> str:
        return key(self._text())

    def _text(self) -> bytes:
        """Return the row as JSON. What is empty is left out, as a column that is added later will be."""
        values = {name: value for name, value in vars(self).items() if name != "hmac" and value}
        return json.dumps(values, sort_keys=True, default=_plain).encode()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Make a request from a row of privacy/erasures."""
        return cls(
            request=row["request"],
            state=ErasureState(row["state"]),
            mode=row["mode"],
            subject=row["subject"],
            certificate=row["certificate"],
            at=row["at"],
            entry=row["entry"],
            photo_ids=frozenset(row["photo_ids"] or []),
            counts=dict(row["counts"] or []),
            versions_before=dict(row["versions_before"] or []),
            versions_after=dict(row["versions_after"] or []),
            due_at=row["due_at"],
            certificates=row.get("certificates") or 0,
            head=row.get("head"),
            acknowledged=tuple(row.get("acknowledged") or ()),
            hmac=row.get("hmac"),
        )


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
        known = lake_format.check_format(files) or {}
        has_earlier_code = known.get("format") == lake_format.EARLIEST
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


def _plain(value: Any) -> Any:
    """Return a set or a time as JSON writes it: sorted, or in UTC. Raises TypeError for any other value."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} can't be authenticated")
