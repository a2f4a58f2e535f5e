"""A request for erasure in one state: a row of privacy/erasures, with an HMAC over all that it says."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from lake import catalog
from lake.catalog import Table
from lake.enums import FITTED_PREFIX, POSSIBLY_FITTED_PREFIX, ErasureState
from lake.pseudonyms import KeyedHash


@dataclass(frozen=True)
class ErasureRequest:
    """One request for erasure in one state, which it reached at the time `at`.

    `subject` is the tombstone of the subject, or with `of_photo` that of the one photo that was asked for.
    `counts` has the number of rows by table, the number of landing objects (`landing`), and by model version
    the number of erased photos that it was fitted on (`FITTED_PREFIX`) or may have been fitted on
    (`POSSIBLY_FITTED_PREFIX`). `due_at` is when old files may be removed. `certificate` is the id of the
    request's certificate. `entry` numbers the rows of the journal. `exact` says that other spellings of the
    name, and the bare name in files, are somebody else's. `mentions` is in how many files the verification
    found the bare name, where it refused to certify. `certificates` is the number of the lake's last
    authenticated certificate, and `head` the SHA-256 of its file, 64 hex digits. `acknowledged` has the
    faults of journal and certificates with which `erase --acknowledge` went on. `hmac` authenticates the row.
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
    of_photo: bool = False
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
            exact=row.get("exact") or False,
            mentions=row.get("mentions") or 0,
            of_photo=row.get("of_photo") or False,
            certificates=row.get("certificates") or 0,
            head=row.get("head"),
            acknowledged=tuple(row.get("acknowledged") or ()),
            hmac=row.get("hmac"),
        )


def _plain(value: Any) -> Any:
    """Return a set or a time as JSON writes it: sorted, or in UTC. Raises TypeError for any other value."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} can't be authenticated")
