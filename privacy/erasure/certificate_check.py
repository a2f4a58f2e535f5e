"""The check of all certificates of erasure against their journal, and of the journal against its HMACs.

Whoever can write to the lake, but doesn't know its key, can't forge, change, exchange, renumber or remove a
certificate without being found. Whoever takes the journal and all certificates back to one earlier moment is
found by nobody inside the lake: for that, the number and the hash that `erase` shows must be kept elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conf.errors import Inconsistent
from lake import catalog
from lake.enums import ErasureState
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake
from privacy.erasure import certificate, request_journal
from privacy.erasure.certificate import FOLDER
from privacy.erasure.request_journal import ErasureRequest


@dataclass
class CertificateCheck:
    """What a check of all certificates found.

    `faults` are clauses that each name a certificate. `made_before` are the file names of those that were
    made before certificates were authenticated, where the journal says so and nothing speaks against it.
    """

    faults: list[str] = field(default_factory=list)
    made_before: list[str] = field(default_factory=list)

    def raise_faults(self) -> None:
        """Raise Inconsistent, naming every certificate that does not hold, where there is one."""
        if self.faults:
            raise Inconsistent(
                f"Not every certificate of erasure holds: {'; '.join(self.faults)}. Find out who changed "
                f"{FOLDER} or {catalog.ERASURES.name}, and put back what was there from a copy."
            )


def check(lake: Lake, key: KeyedHash) -> CertificateCheck:
    """Compare the files under privacy/certificates with the journal, which is read before them.

    A certificate is written before it is recorded, so one that another process writes meanwhile is not
    missed.
    """
    journal = request_journal.rows(lake)
    names = lake.files.names(FOLDER, suffix=certificate.WHOLE)
    found = {name: certificate.content_of(lake.files, name) or b"" for name in names}
    result = CertificateCheck(list(_of_journal(journal, key)))
    recorded = request_journal.certified(journal, key)
    of_before: Mapping[str, str] | None = None
    for row in recorded:
        name = certificate.file_name(row, is_whole=row.state is ErasureState.CERTIFIED)
        content = found.pop(name, None)
        if fault := _of_recorded(content, row, key):
            result.faults.append(f"{name} {fault}")
        elif row is recorded[0]:
            of_before = (certificate.read(content or b"") or {}).get("made_before")
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    expected = _of_certified_before(journal).union(of_before or ())
    for name in sorted(expected - found.keys()):
        result.faults.append(f"{name} is missing")
    for name, content in sorted(found.items()):
        if not certificate.is_of_before(name, journal):
            result.faults.append(f"{name} {_unrecorded(name, journal)}")
        elif fault := _of_before(name, content, hashes, of_before):
            result.faults.append(f"{name} {fault}")
        else:
            result.made_before.append(name)
    return result


def _of_journal(journal: Sequence[ErasureRequest], key: KeyedHash) -> Iterator[str]:
    """Yield a fault for each row that another program changed or added, or before which rows are missing."""
    entry, count, head = 0, 0, None
    is_of_before = True
    for row in journal:
        where = f"the entry {row.entry} of {catalog.ERASURES.name} about {row.certificate}"
        is_of_before = is_of_before and row.hmac is None
        if is_of_before:
            entry = row.entry
            continue
        if not row.is_authentic(key):
            yield f"{where} was changed or added by another program"
        else:
            is_next = (row.certificates, row.head) == (count, head) or row.certificates == count + 1
            if row.entry != entry + 1 or not is_next:
                yield f"{where} doesn't follow on the entry {entry}: rows were removed or exchanged"
            count, head = row.certificates, row.head
        entry = row.entry


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


def _of_certified_before(journal: Sequence[ErasureRequest]) -> set[str]:
    """Return the file names of the whole certificates that were made before they were authenticated."""
    certified = (row for row in journal if row.state is ErasureState.CERTIFIED and not row.hmac)
    names = {certificate.file_name(row, is_whole=True) for row in certified}
    return {name for name in names if certificate.is_of_before(name, journal)}


def _unrecorded(name: str, journal: Sequence[ErasureRequest]) -> str:
    """Return what is wrong with a file that no row of the journal records."""
    requests = {row.request for row in journal if row.certificate == name.partition(".")[0]}
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
    if body.get("certificate") != name.partition(".")[0]:
        return f"is the certificate {body.get('certificate')}"
    if body.get("previous_sha256") not in (None, *hashes.values()):
        return "has the hash of a certificate that was changed or removed since"
    return None
