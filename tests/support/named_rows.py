"""Tables of a lake, as delta-rs writes them, with rows that a rule for names of format 4 or 5 makes."""

from __future__ import annotations

import hashlib

from bronze.landing import LandingObject, arrival
from lake import catalog, small_tables
from lake.pseudonyms import Pseudonyms
from lake.subject_names import NameRule, NameRuleVersion
from tests.support.photo_tables import BEFORE, write

SECRET = b"0123456789abcdef"
TODAY = Pseudonyms(SECRET)
FORMAT_4 = Pseudonyms(SECRET, NameRule(NameRuleVersion.AS_WRITTEN))


def make(root, paths, *, pseudonyms, rejected=()):
    """Makes the tables under a root, with the rows of landing objects: photos, and what is `rejected`.

    Returns the photo ids by path. Photos of the name `2.jpg` have no hash of their bytes.
    """
    for table in catalog.TABLES:
        small_tables.create(str(root), table, {})
    found = {
        path: arrival(LandingObject(path, 1, 1), position=0, pseudonyms=pseudonyms)
        for path in (*paths, *rejected)
    }
    ids = {
        path: hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest() for path in paths
    }
    photos = [
        {"photo_id": ids[path], "subject": found[path].subject, "path": found[path].stored_path}
        | {
            "original": None if path.endswith("/2.jpg") else ids[path],
            "label": found[path].label,
            "ingested_at": BEFORE,
        }
        for path in paths
    ]
    objects = [
        {"object": each.key, "etag": each.landing.etag, "subject": each.subject, "seen_at": BEFORE}
        | {"photo_id": ids.get(path), "outcome": "stored" if path in ids else "rejected"}
        for path, each in found.items()
    ]
    refused = [
        {"object": found[path].key, "subject": found[path].subject, "reason": "empty"}
        | {"path": found[path].stored_path, "rejected_at": BEFORE}
        for path in rejected
    ]
    for table, rows in (
        (catalog.PHOTOS, photos),
        (catalog.OBJECTS, objects),
        (catalog.REJECTED, refused),
    ):
        if rows:
            write(root, table, rows)
    return ids


def land(root, paths):
    """Puts files with such names into a landing folder, each with its name as content."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode(errors="surrogateescape"))
