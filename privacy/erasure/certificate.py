"""Certificates of erasure: JSON files under privacy/certificates, each with the hash of the one before it.

A certificate does not say whose erasure it is: it holds no name, pseudonym or photo id, in clear or hashed.
It bears an HMAC under a key that is derived from the lake's key, and the journal of erasures has its number
and its hash. `certificate_check` compares the two.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from conf.errors import FruitLakeError
from lake.enums import REKEY, ErasureState
from lake.json_objects import json_object
from lake.pseudonyms import KeyedHash
from lake.readable_lake import Lake
from lake.storage.folder import Folder
from lake.writable_lake import WritableLake
from privacy.erasure import certificate_texts, request_journal
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.request_journal import Journal
from privacy.erasure.verification import SearchResult

FOLDER = "privacy/certificates"
ERASED, NOTHING_HELD, PENDING, REKEYED = "erased", "nothing held", "pending", "rekeyed"

HMAC = "hmac_sha256"
"""The key under which a certificate bears its HMAC. It is the last key of the file."""

PARTS = {True: "whole", False: "first: what is still due"}
"""The words for a whole certificate and for its first part."""

WHOLE, FIRST_PART = ".json", ".pending.json"
"""The ends of the file names: of a whole certificate, and of its first part, which says what is still due."""


def write(
    lake: WritableLake,
    erasure: ErasureRequest,
    result: SearchResult | None,
    *,
    places: Mapping[str, str],
    key: KeyedHash,
) -> str:
    """Write the certificate of a request, and return the SHA-256 of the file, for the journal.

    `result` is what the verification found; it is None where old files are still due, and then only the first
    part of the certificate is written. `places` has the address of each store that is searched, by the name
    of the store. A certificate that an earlier try wrote, and did not record, stays as it is. What else lay
    in its place when the journal was read is replaced, and nothing that came later: a writer that was paused
    replaces no file of its successor. No other certificate is read, so that none that is broken is in the
    way. Raises Busy.
    """
    name = file_name(erasure, is_whole=result is not None)
    found = content_of(lake.files, name)
    journal = request_journal.read(lake, key)
    number, head = journal.number_and_head
    if found is not None and _continues(found, name, number=number, head=head, key=key):
        return hashlib.sha256(found).hexdigest()
    numbered = {
        "sequence": number + 1,
        "previous_sha256": head,
        "made_before": None if head else hashes_of_before(lake.files, journal),
    }
    content = sealed(_told(lake, erasure, result, places=places) | numbered, key)
    _replace(lake, name, content, expected=found)
    if result is not None:
        _drop_unrecorded_first_part(lake, erasure, journal)
    return hashlib.sha256(content).hexdigest()


def _replace(
    lake: WritableLake, name: str, content: bytes | None, *, expected: bytes | None
) -> None:
    """Put a file in the place of what was found there (`expected`), or remove it. Raises Busy where this
    process has lost the lake, and FruitLakeError where another program wrote there meanwhile."""
    lake.check_lease()
    if not lake.files.swap(f"{FOLDER}/{name}", content, expected=expected):
        lake.check_lease()
        raise FruitLakeError(
            f"{FOLDER}/{name} was changed by another program while this run wrote it; run again."
        )


def file_name(erasure: ErasureRequest, *, is_whole: bool) -> str:
    """Return the file name of a request's certificate, or of its first part."""
    return f"{erasure.certificate}{WHOLE if is_whole else FIRST_PART}"


def iso_time(time: datetime) -> str:
    """Return a time as ISO 8601 writes it, in UTC and to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def sealed(body: Mapping[str, Any], key: KeyedHash) -> bytes:
    """Return the file of a certificate: `body` as JSON, with its HMAC under `key` as the last value."""
    return _text({**body, HMAC: key(_text(body))})


def content_of(files: Folder, name: str) -> bytes | None:
    """Return the bytes of a certificate's file; None where there is none. One that can't be read has none of
    what it should have, so it counts as empty."""
    try:
        return files.read(f"{FOLDER}/{name}")
    except OSError:
        return b""


def read(content: bytes) -> dict[str, Any] | None:
    """Return what the file of a certificate says; None where it is no JSON object."""
    return json_object(content)


def is_authentic(content: bytes, key: KeyedHash) -> bool:
    """Return whether a file is, byte by byte, what `sealed` makes of what it says."""
    body = read(content) or {}
    body.pop(HMAC, None)
    return hmac.compare_digest(content, sealed(body, key))


def name_of(body: Mapping[str, Any]) -> str:
    """Return the file name under which a certificate was written, by what an authentic one says."""
    return f"{body['certificate']}{WHOLE if body['part'] == PARTS[True] else FIRST_PART}"


def is_of_before(name: str, journal: Journal) -> bool:
    """Return whether the journal says that a certificate was written before certificates were authenticated.

    It says so by a row of earlier code, of the state in which that file was written.
    """
    return any(
        name == file_name(row, is_whole=row.state is ErasureState.CERTIFIED)
        for row in journal.of_earlier_code
        if row.state in (ErasureState.LOGICAL, ErasureState.CERTIFIED)
    )


def hashes_of_before(files: Folder, journal: Journal) -> dict[str, str]:
    """Return the SHA-256 of each certificate that `is_of_before` holds for, by its file name."""
    names = (name for name in files.names(FOLDER, suffix=WHOLE) if is_of_before(name, journal))
    return {
        name: hashlib.sha256(content_of(files, name) or b"").hexdigest() for name in sorted(names)
    }


def _continues(content: bytes, name: str, *, number: int, head: str | None, key: KeyedHash) -> bool:
    """Return whether a file is the authentic certificate of that name which follows on the one of a number
    and hash, the last that the journal records.

    A command that died before it recorded a certificate leaves such a file.
    """
    if not is_authentic(content, key):
        return False
    body = read(content) or {}
    found = (name_of(body), body["sequence"], body["previous_sha256"])
    return found == (name, number + 1, head)


def _drop_unrecorded_first_part(
    lake: WritableLake, erasure: ErasureRequest, journal: Journal
) -> None:
    """Delete the first part of a certificate that a command wrote and died before it recorded it.

    The whole certificate has its number now.
    """
    name = file_name(erasure, is_whole=False)
    found = content_of(lake.files, name)
    is_recorded = journal.has_certificate(erasure.request)
    if found is not None and not is_recorded and not is_of_before(name, journal):
        _replace(lake, name, None, expected=found)


def _text(body: Mapping[str, Any]) -> bytes:
    """Return JSON as certificates are written."""
    return json.dumps(body, indent=2).encode() + b"\n"


def _told(
    lake: Lake, erasure: ErasureRequest, result: SearchResult | None, *, places: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a certificate says of an erasure, of what was searched, and of who wrote it."""
    return {
        "certificate": erasure.certificate,
        "request": erasure.request,
        "asked": certificate_texts.asked(erasure),
        "part": PARTS[result is not None],
        "result": _outcome(erasure, result),
        "mode": erasure.mode,
        "exact": erasure.exact,
        "written_at": iso_time(datetime.now(UTC)),
        "times": "UTC",
        "reached": {erasure.state.value: iso_time(erasure.at)},
        "stores": _stores(result, places),
        "counts": dict(sorted(erasure.counts.items())),
        "photos": len(erasure.photo_ids),
        "versions_before": dict(erasure.versions_before),
        "versions_after": dict(erasure.versions_after),
        "method": certificate_texts.method(erasure),
        "due": None if result else _due(erasure),
        "verification": result and _verification(result),
        "not_covered": certificate_texts.not_covered(erasure),
        "run_id": lake.run.run_id,
        "code_revision": lake.run.code_revision,
        "settings_hash": lake.run.settings_hash,
    }


def _outcome(erasure: ErasureRequest, result: SearchResult | None) -> str:
    if erasure.mode == REKEY:
        return REKEYED
    if result is None:
        return PENDING
    return NOTHING_HELD if erasure.is_of_nothing else ERASED


def _verification(result: SearchResult) -> dict[str, Any]:
    """Return what was searched and found. Paths may hold names, so what can't be decoded is told by kind."""
    undecoded = Counter((each.store, each.what) for each in result.undecoded)
    return {
        "deep": result.deep,
        "files": sum(result.files.values()),
        "bytes": sum(result.bytes.values()),
        "residues": len(result.residues),
        "name_in_clear": result.mentions is not None,
        "mentions": None if result.mentions is None else len(result.mentions),
        "undecoded": [
            {"store": store, "what": what, "files": count}
            for (store, what), count in sorted(undecoded.items())
        ],
    }


def _stores(result: SearchResult | None, places: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "store": store,
            "place": place,
            "files": result.files.get(store, 0) if result else None,
            "bytes": result.bytes.get(store, 0) if result else None,
        }
        for store, place in places.items()
    ]


def _due(erasure: ErasureRequest) -> dict[str, Any]:
    assert erasure.due_at is not None
    return {
        "at": iso_time(erasure.due_at),
        "what": [
            "files of earlier versions of the tables, which time travel still reads",
            "the parameters of model versions that were, or may have been, fitted on the photos, and a refit "
            "where none was made by then",
            "verification of every store, and the rest of this certificate",
        ],
    }
