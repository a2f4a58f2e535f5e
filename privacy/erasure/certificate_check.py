"""The check of all certificates of erasure against their journal, and of the journal against its HMACs.

Whoever can write to the lake, but doesn't know its key, can't forge, change, exchange, renumber or remove a
certificate without being found. A fault that an authentic row of the journal acknowledges is told and no
longer counts. Whoever takes the journal and all certificates back to one earlier moment is found by nobody
inside the lake: for that, the number and the hash that `erase` shows must be kept elsewhere.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from conf.errors import Inconsistent
from lake import catalog, lease
from lake.enums import ErasureState
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake
from privacy.erasure import certificate, request_journal
from privacy.erasure.certificate import FOLDER
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.request_journal import Journal

AUTHENTICATED = frozenset({certificate.HMAC, "made_before"})
"""Keys of a certificate's file that earlier code didn't write."""

NO_COPY = (
    "Without a copy, erase with --acknowledge: it goes on, and the journal keeps what was wrong."
)
"""The way on that is told to whoever reads of a fault."""

SETTLES = 2.0
"""The seconds that another process gets to record a certificate that it has just written."""


@dataclass(frozen=True)
class Fault:
    """What is wrong: a clause that names a certificate or a row, and the SHA-256 of what lies there."""

    said: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.said} (SHA-256 {self.sha256})"


@dataclass
class CertificateCheck:
    """What a check of all certificates found.

    `unacknowledged` are the faults that nobody has acknowledged, and `acknowledged` the texts of all that
    somebody has, each with its time. `made_before` are the file names of certificates that were made before
    certificates were authenticated, where the journal says so and nothing speaks against it.
    """

    unacknowledged: list[Fault]
    made_before: list[str]
    acknowledged: list[str]

    @property
    def faults(self) -> list[str]:
        """The clauses that say what is wrong, of the faults that nobody has acknowledged."""
        return [fault.said for fault in self.unacknowledged]

    def raise_faults(self) -> None:
        """Raise Inconsistent, naming every certificate that does not hold, where there is one."""
        if self.unacknowledged:
            raise Inconsistent(
                f"Not every certificate of erasure holds: {'; '.join(self.faults)}. Find out who changed "
                f"{FOLDER} or {catalog.ERASURES.name}, and put back what was there from a copy. {NO_COPY}"
            )


def check(lake: Lake, key: KeyedHash) -> CertificateCheck:
    """Compare the files under privacy/certificates with the journal.

    Where something is wrong, both are read once more, and only what is wrong both times is a fault: another
    process may have written a certificate between two readings. Where one holds the lease, it gets SETTLES
    seconds to record what it wrote.
    """
    found = _compared(lake, key)
    if found.unacknowledged:
        if not isinstance(lake, WritableLake) and lease.writer(lake.files):
            time.sleep(SETTLES)
        first, found = set(found.unacknowledged), _compared(lake, key)
        found.unacknowledged = [fault for fault in found.unacknowledged if fault in first]
    return found


def refuse(journal: Journal, request: str) -> None:
    """Raise Inconsistent where another program changed or added a row of a request, and nobody has
    acknowledged it."""
    acknowledged = _acknowledged(journal)
    rows = (row for row in journal.foreign if row.request == request)
    faults = [fault.said for fault in map(_of_foreign, rows) if str(fault) not in acknowledged]
    if faults:
        raise Inconsistent(
            f"Nothing was done for {request}: {'; '.join(faults)}. Find out who wrote it, and put back what "
            f"was there from a copy, or remove what was added. {NO_COPY}"
        )


def to_acknowledge(lake: Lake, key: KeyedHash, *, now: datetime) -> list[str]:
    """Return the texts by which a row of the journal acknowledges, at the time `now`, all that is wrong."""
    at = certificate.iso_time(now)
    return [f"{at} {fault}" for fault in check(lake, key).unacknowledged]


def _compared(lake: Lake, key: KeyedHash) -> CertificateCheck:
    """Return what one reading of the journal and then of the files finds.

    A certificate is written before it is recorded, so one that another process writes meanwhile is not
    missed, but may seem to be recorded by no row.
    """
    journal = request_journal.read(lake, key)
    names = lake.files.names(FOLDER, suffix=certificate.WHOLE)
    found = {name: certificate.content_of(lake.files, name) or b"" for name in names}
    faults = list(_of_journal(journal))
    of_before: Mapping[str, str] | None = None
    for row in journal.certified:
        name = certificate.file_name(row, is_whole=row.state is ErasureState.CERTIFIED)
        content = found.pop(name, None)
        if fault := _of_recorded(content, row, key):
            faults.append(Fault(f"{name} {fault}", _sha256(content or b"")))
        elif row is journal.certified[0]:
            of_before = (certificate.read(content or b"") or {}).get("made_before")
    hashes = {name: _sha256(content) for name, content in found.items()}
    expected = _of_certified_before(journal).union(of_before or ())
    faults += [
        Fault(f"{name} is missing", _sha256(b"")) for name in sorted(expected - found.keys())
    ]
    made_before = []
    for name, content in sorted(found.items()):
        if not certificate.is_of_before(name, journal):
            faults.append(Fault(f"{name} {_unrecorded(name, journal)}", hashes[name]))
        elif fault := _of_before(name, content, hashes, of_before):
            faults.append(Fault(f"{name} {fault}", hashes[name]))
        else:
            made_before.append(name)
    acknowledged = _acknowledged(journal)
    faults = [fault for fault in faults if str(fault) not in acknowledged]
    told = [f"{fault}, acknowledged at {when}" for fault, when in acknowledged.items()]
    return CertificateCheck(faults, made_before, told)


def _acknowledged(journal: Journal) -> Mapping[str, str]:
    """Return the faults that rows of the journal acknowledge, each with the time of that."""
    texts = (text.partition(" ") for row in journal.authentic for text in row.acknowledged)
    return {fault: when for when, _, fault in texts}


def _of_journal(journal: Journal) -> Iterator[Fault]:
    """Yield a fault for each row that another program changed or added, or before which rows are missing."""
    yield from map(_of_foreign, journal.foreign)
    for sha256 in journal.unreadable:
        yield Fault(f"a row of {catalog.ERASURES.name} can't be understood", sha256)
    taken = {row.entry for row in journal.foreign}
    entry = journal.of_earlier_code[-1].entry if journal.of_earlier_code else 0
    count, head, before = 0, None, ""
    for row in journal.authentic:
        is_next = (row.certificates, row.head) == (count, head) or row.certificates == count + 1
        is_after = row.entry > entry and taken.issuperset(range(entry + 1, row.entry))
        if not (is_next and is_after):
            said = (
                f"{_where(row)} doesn't follow on the entry {entry}: rows were removed or exchanged"
            )
            yield Fault(said, link_hash(before, row))
        entry, count, head, before = row.entry, row.certificates, row.head, row.hmac or ""


def link_hash(before: str, row: ErasureRequest) -> str:
    """Return the hash by which a fault between two rows is known: of the HMAC `before`, and the row's own."""
    return _sha256(f"{before} {row.hmac}".encode())


def _of_foreign(row: ErasureRequest) -> Fault:
    return Fault(f"{_where(row)} was changed or added by another program", row.sha256)


def _where(row: ErasureRequest) -> str:
    return f"the entry {row.entry} of {catalog.ERASURES.name} about {row.certificate}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _of_recorded(content: bytes | None, row: ErasureRequest, key: KeyedHash) -> str | None:
    """Return what is wrong with the file of a certificate that a row records; None where nothing is."""
    if content is None:
        return "is missing"
    if hashlib.sha256(content).hexdigest() == row.head:
        return None
    body = certificate.read(content)
    if body is None:
        return "can't be read: it was truncated or overwritten"
    if not certificate.is_authentic(content, key):
        return "bears no HMAC of this lake's key for what it says: it was forged, or changed later"
    if body["certificate"] != row.certificate:
        return f"is the certificate {body['certificate']} of the request {body['request']}"
    return f"is number {body['sequence']}, another file than the number {row.certificates} of the journal"


def _of_certified_before(journal: Journal) -> set[str]:
    """Return the file names of the whole certificates that were made before they were authenticated."""
    rows = (row for row in journal.of_earlier_code if row.state is ErasureState.CERTIFIED)
    return {certificate.file_name(row, is_whole=True) for row in rows}


def _unrecorded(name: str, journal: Journal) -> str:
    """Return what is wrong with a file that no row of the journal records."""
    stem = name.partition(".")[0]
    requests = {row.request for row in journal.trusted if row.certificate == stem}
    if not requests and any(row.certificate == stem for row in journal.foreign):
        return f"is told of in {catalog.ERASURES.name} by another program alone"
    if not requests:
        return f"belongs to no request in {catalog.ERASURES.name}: another program put it there"
    return (
        f"is recorded by no row of {catalog.ERASURES.name}: where the command of {requests.pop()} died, the "
        f"same command records it"
    )


def _of_before(
    name: str, content: bytes, hashes: Mapping[str, str], of_before: Mapping[str, str] | None
) -> str | None:
    """Return what is wrong with a certificate that was made before certificates were authenticated.

    `hashes` has the SHA-256 of each such file, by its name. It is None where nothing is wrong.
    """
    if of_before is not None and hashes[name] != of_before.get(name):
        return "was changed or added since certificates are authenticated"
    body = certificate.read(content)
    if body is None:
        return "can't be read: it was truncated or overwritten"
    if not AUTHENTICATED.isdisjoint(body):
        return "has what only authenticated certificates have, and no row that records it"
    if body.get("certificate") != name.partition(".")[0]:
        return f"is the certificate {body.get('certificate')}"
    if body.get("previous_sha256") not in (None, *hashes.values()):
        return "has the hash of a certificate that was changed or removed since"
    return None
