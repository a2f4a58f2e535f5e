"""Certificates of erasure: JSON files under privacy/certificates, each with the hash of the one before it.

A certificate does not say whose erasure it is: it holds no name, pseudonym or photo id, in clear or hashed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lake.readable_lake import Lake
from lake.storage.folder import Folder
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.verification import SearchResult

FOLDER = "privacy/certificates"
ERASED, NOTHING_HELD, PENDING = "erased", "nothing held", "pending"

METHOD = (
    "tombstones keep out the subject, and copies of the photos that arrive without a subject",
    "the subject's landing objects and folders were deleted",
    "rows were deleted from every table by MERGE against keys, so that no log of a table holds a value",
    "what the photos had added to the moments was subtracted; PCA versions that were fitted on them were "
    "fitted anew, and the parameters of the old versions were wiped",
    "old files were removed by VACUUM, and files that VACUUM leaves were found by comparing the storage with "
    "each table's current version, and removed",
    "the storage was listed; the key columns of every Parquet file were read, whether a version refers to "
    "the file or not, and the raw bytes of every other file",
)
NOT_COVERED = (
    "copies outside the stores named here: exports, backups, what a provider keeps",
    "photos that were encoded anew and sent without a subject",
    "landing objects whose paths look like a person's, but not certainly whose (uncertain_subject)",
)


def write(
    lake: Lake, erasure: ErasureRequest, result: SearchResult | None, *, places: Mapping[str, str]
) -> str:
    """Write the certificate of a request, and return the address of the file.

    `result` is what the verification found; it is None where old files are still due, and then only the first
    part of the certificate is written. `places` has the address of each store that is searched, by the name
    of the store. A certificate that exists stays as it is, because a later one may hold its hash.
    """
    name = f"{erasure.certificate}{'' if result else '.pending'}.json"
    place = lake.files.uri(f"{FOLDER}/{name}")
    if lake.files.exists(f"{FOLDER}/{name}"):
        return place
    previous = _last(lake.files, but=name)
    content = {
        "certificate": erasure.certificate,
        "request": erasure.request,
        "part": "whole" if result else "first: what is still due",
        "sequence": previous["sequence"] + 1 if previous else 1,
        "previous_sha256": previous["sha256"] if previous else None,
        "result": _outcome(erasure, result),
        "mode": erasure.mode,
        "written_at": iso_time(datetime.now(UTC)),
        "times": "UTC",
        "reached": {erasure.state.value: iso_time(erasure.at)},
        "stores": _stores(result, places),
        "counts": dict(sorted(erasure.counts.items())),
        "photos": len(erasure.photo_ids),
        "versions_before": dict(erasure.versions_before),
        "versions_after": dict(erasure.versions_after),
        "method": METHOD,
        "due": None if result else _due(erasure),
        "verification": result
        and {
            "deep": result.deep,
            "files": sum(result.files.values()),
            "bytes": sum(result.bytes.values()),
            "residues": len(result.residues),
        },
        "not_covered": NOT_COVERED,
        "run_id": lake.run.run_id,
        "code_revision": lake.run.code_revision,
        "settings_hash": lake.run.settings_hash,
    }
    lake.files.write(f"{FOLDER}/{name}", json.dumps(content, indent=2).encode() + b"\n")
    return place


def iso_time(time: datetime) -> str:
    """Return a time as ISO 8601 writes it, in UTC and to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds")


def broken_links(files: Folder) -> list[str]:
    """Return the file names of the certificates whose hash of the one before matches no certificate."""
    certificates = _all(files)
    hashes = {each["sha256"] for each in certificates}
    return [
        each["name"]
        for each in certificates
        if each["previous_sha256"] is not None and each["previous_sha256"] not in hashes
    ]


def _all(files: Folder) -> list[dict[str, Any]]:
    """Return every certificate by its sequence, with its file `name` and the `sha256` of the file."""
    certificates = []
    for name in files.names(FOLDER, suffix=".json"):
        content = files.read(f"{FOLDER}/{name}") or b"{}"
        digest = hashlib.sha256(content).hexdigest()
        certificates.append({**json.loads(content), "name": name, "sha256": digest})
    return sorted(certificates, key=lambda each: each["sequence"])


def _last(files: Folder, *, but: str) -> dict[str, Any] | None:
    """Return the last certificate; None where there is none but the file `but`."""
    others = [each for each in _all(files) if each["name"] != but]
    return others[-1] if others else None


def _outcome(erasure: ErasureRequest, result: SearchResult | None) -> str:
    if result is None:
        return PENDING
    return NOTHING_HELD if erasure.is_of_nothing else ERASED


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
            "the parameters of model versions that were fitted on the photos, and a refit where none was "
            "made by then",
            "verification of every store, and the rest of this certificate",
        ],
    }
