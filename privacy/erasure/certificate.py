"""Certificates of erasure: JSON files under privacy/certificates, each with the hash of the one before.

Nothing in one tells whose erasure it is: no name, no pseudonym, no photo id, in clear or hashed.
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
    "tombstones keep the subject, and the photos' bytes without a subject, from coming again",
    "landing objects were deleted, with the subject's folders",
    "rows were deleted from every table by MERGE against keys, so that no value stands in a log",
    "what the photos had added to the moments was subtracted, PCA versions fitted on them were fitted "
    "anew, and the old versions' parameters wiped",
    "old files were removed by VACUUM, and what it leaves by comparing the storage with each table's "
    "current version",
    "the storage was listed; key columns of every Parquet file were read, referenced or not, and the "
    "raw bytes of every other file",
)
NOT_COVERED = (
    "copies outside the stores named here: exports, backups, what a provider keeps",
    "photos that were encoded anew and sent without a subject",
)


def write(
    lake: Lake, erasure: ErasureRequest, looked: SearchResult | None, *, places: Mapping[str, str]
) -> str:
    """Writes the certificate of a request, or the first part of it where files are still due (`looked` is
    None). One that is there already stays as it is: a later one may hold its hash. Returns its place."""
    name = f"{erasure.certificate}{'' if looked else '.pending'}.json"
    place = lake.files.uri(f"{FOLDER}/{name}")
    if lake.files.exists(f"{FOLDER}/{name}"):
        return place
    before = _last(lake.files, but=name)
    content = {
        "certificate": erasure.certificate,
        "request": erasure.request,
        "part": "whole" if looked else "first: what is still due",
        "sequence": before["sequence"] + 1 if before else 1,
        "previous_sha256": before["sha256"] if before else None,
        "result": _result(erasure, looked),
        "mode": erasure.mode,
        "written_at": told(datetime.now(UTC)),
        "times": "UTC",
        "reached": {erasure.state.value: told(erasure.at)},
        "stores": _stores(looked, places),
        "counts": dict(sorted(erasure.counts.items())),
        "photos": len(erasure.photo_ids),
        "versions_before": dict(erasure.versions_before),
        "versions_after": dict(erasure.versions_after),
        "method": METHOD,
        "due": None if looked else _due(erasure),
        "verification": looked
        and {
            "deep": looked.deep,
            "files": sum(looked.files.values()),
            "bytes": sum(looked.bytes.values()),
            "residues": len(looked.residues),
        },
        "not_covered": NOT_COVERED,
        "run_id": lake.run.run_id,
        "code_revision": lake.run.code_revision,
        "settings_hash": lake.run.settings_hash,
    }
    lake.files.write(f"{FOLDER}/{name}", json.dumps(content, indent=2).encode() + b"\n")
    return place


def told(moment: datetime) -> str:
    """A time as ISO 8601, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def broken_links(files: Folder) -> list[str]:
    """The certificates whose hash of the one before is not that of a file there."""
    known = _all(files)
    hashes = {each["sha256"] for each in known}
    return [
        each["name"]
        for each in known
        if each["previous_sha256"] is not None and each["previous_sha256"] not in hashes
    ]


def _all(files: Folder) -> list[dict[str, Any]]:
    found = []
    for name in files.names(FOLDER, suffix=".json"):
        content = files.read(f"{FOLDER}/{name}") or b"{}"
        digest = hashlib.sha256(content).hexdigest()
        found.append({**json.loads(content), "name": name, "sha256": digest})
    return sorted(found, key=lambda each: each["sequence"])


def _last(files: Folder, *, but: str) -> dict[str, Any] | None:
    others = [each for each in _all(files) if each["name"] != but]
    return others[-1] if others else None


def _result(erasure: ErasureRequest, looked: SearchResult | None) -> str:
    if looked is None:
        return PENDING
    return NOTHING_HELD if erasure.is_of_nothing else ERASED


def _stores(looked: SearchResult | None, places: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "store": store,
            "place": place,
            "files": looked.files.get(store, 0) if looked else None,
            "bytes": looked.bytes.get(store, 0) if looked else None,
        }
        for store, place in places.items()
    ]


def _due(erasure: ErasureRequest) -> dict[str, Any]:
    assert erasure.due_at is not None
    return {
        "at": told(erasure.due_at),
        "what": [
            "files of earlier versions of the tables, which time travel still reads",
            "the parameters of model versions that were fitted on the photos, and a refit where none was "
            "made by then",
            "verification of every store, and the rest of this certificate",
        ],
    }
