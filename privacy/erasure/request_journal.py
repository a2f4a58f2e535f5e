"""The journal of erasures: the table privacy/erasures, which records how far each request has come.

REQUESTED → FENCED (tombstones) → LOGICAL (rows gone) → PHYSICAL (files gone) → VERIFIED → CERTIFIED. A
request whose process died in any state continues from that state.

Each row bears an HMAC over all that it says, and the number and the hash of the last certificate. So a row
that another program changed, left out or added is found, and so is a certificate (`certificate_check`). Rows
that earlier code wrote bear no HMAC. They come before every row that bears one.
"""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from lake import catalog, fault_points
from lake.catalog import Table
from lake.chunks import NoChunk
from lake.enums import ERASE, FITTED_PREFIX, POSSIBLY_FITTED_PREFIX, ErasureState
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake


@dataclass(frozen=True)
class ErasureRequest:
    """One request for erasure in one state, which it reached at the time `at`.

    `subject` is the tombstone of the subject, or with `of_photo` that of the one photo that was asked for.
    `counts` has the number of rows by table, the number of landing
    objects (`landing`), and by model version the number of erased photos that it was fitted on
    (`FITTED_PREFIX`) or may have been fitted on (`POSSIBLY_FITTED_PREFIX`). `due_at` is when old files may be
    removed. `certificate` is the id of the request's certificate. `entry` numbers the rows of the journal.
    `exact` says that other spellings of the name, and the bare name in files, are somebody else's. `mentions`
    is in how many files the verification found the bare name, where it refused to certify. `certificates` is
    the number of the lake's last authenticated certificate, and `head` the SHA-256 of its file, 64 hex
    digits. `hmac` authenticates the row.
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
    exact: bool = False
    mentions: int = 0
    certificates: int = 0
    head: str | None = None
    hmac: str | None = None
    of_photo: bool = False

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
    def tables_made_of_photos(self) -> list[Table]:
        """The tables without keys whose older versions hold what was made of the erased photos: parameters
        of models, and moments, whose shift may be the embedding of one photo."""
        of_models = [catalog.MODELS] if self.fitted else []
        return [*of_models, catalog.MOMENTS] if self.fitted or self.photo_ids else []

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

    def _hmac(self, key: KeyedHash) -> str:
        """Return the HMAC of the row. What is empty is left out, as a column that is added later will be."""
        values = {name: value for name, value in vars(self).items() if name != "hmac" and value}
        return key(json.dumps(values, sort_keys=True, default=_plain).encode())

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
            exact=row.get("exact") or False,
            mentions=row.get("mentions") or 0,
            certificates=row.get("certificates") or 0,
            head=row.get("head"),
            hmac=row.get("hmac"),
            of_photo=row.get("of_photo") or False,
        )


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


def rows(lake: Lake) -> list[ErasureRequest]:
    """Return every row of the journal in the order of the entries."""
    if not lake.version(catalog.ERASURES):
        return []
    return sorted(map(ErasureRequest.of, lake.records(catalog.ERASURES)), key=lambda row: row.entry)


def last(lake: Lake) -> Mapping[str, ErasureRequest]:
    """Return every request in its last state, by the id of the request."""
    return {row.request: row for row in rows(lake)}


def last_authentic(journal: Sequence[ErasureRequest], key: KeyedHash) -> ErasureRequest | None:
    """Return the last row of the journal whose HMAC is right; None where there is none."""
    return next((row for row in reversed(journal) if row.is_authentic(key)), None)


def certified(journal: Iterable[ErasureRequest], key: KeyedHash) -> list[ErasureRequest]:
    """Return the rows of the journal, in their order, that each record one more certificate.

    A row that isn't authentic records none.
    """
    found: list[ErasureRequest] = []
    for row in journal:
        if row.is_authentic(key) and row.certificates > (found[-1].certificates if found else 0):
            found.append(row)
    return found


def has_certificate(journal: Iterable[ErasureRequest], request: str, key: KeyedHash) -> bool:
    """Return whether the journal records a certificate of a request, or its first part."""
    return any(row.request == request for row in certified(journal, key))


def was_fenced_before(lake: Lake, request: str) -> bool:
    """Return whether code that authenticated no rows looked for the photos of a request."""
    fenced = ErasureState.FENCED
    return any(
        row.request == request and row.state is fenced and row.hmac is None for row in rows(lake)
    )


def due(lake: Lake, *, now: datetime) -> list[ErasureRequest]:
    """Return the requests whose old files may be removed at the time `now`, oldest first."""
    return [erasure for erasure in last(lake).values() if erasure.is_due(now)]


def reach(
    lake: WritableLake,
    erasure: ErasureRequest,
    state: ErasureState,
    *,
    at: datetime,
    key: KeyedHash,
    certificate_sha256: str | None = None,
    **changes: Any,
) -> ErasureRequest:
    """Record that a request reached a state at the time `at`, and return it in that state. Raises Busy.

    `key` authenticates the row. `certificate_sha256` is the hash of the certificate that was written in that
    state, if any. `changes` are new values of further fields.
    """
    journal = rows(lake)
    before = last_authentic(journal, key)
    count, head = (before.certificates, before.head) if before else (0, None)
    changed = replace(
        erasure,
        state=state,
        at=at,
        entry=journal[-1].entry + 1 if journal else 1,
        certificates=count + (certificate_sha256 is not None),
        head=certificate_sha256 or head,
        **changes,
    ).authenticated(key)
    row = {
        **vars(changed),
        "state": state.value,
        "photo_ids": sorted(changed.photo_ids),
        "counts": dict(changed.counts),
        "versions_before": dict(changed.versions_before),
        "versions_after": dict(changed.versions_after),
    }
    fault_points.at(f"erase: before {state}")
    lake.put(catalog.ERASURES, [row], keys=["request", "entry"], chunk=NoChunk(ERASE))
    fault_points.at(f"erase: {state}")
    return changed


def _plain(value: Any) -> Any:
    """Return a set or a time as JSON writes it: sorted, or in UTC. Raises TypeError for any other value."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} can't be authenticated")
