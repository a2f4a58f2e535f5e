"""The manifest of an S3 Inventory: which files list the objects of a bucket, and with which columns."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conf.errors import BadInput
from lake.storage.s3_folder import S3Folder

MANIFEST = re.compile(r"(?:^|/)(\d{4}-\d\d-\d\dT\d\d-\d\dZ)/manifest\.(json|checksum)$")
"""The end of the name of a manifest or of its checksum: the time at which the inventory was begun, and the
file."""

FORMATS = ("CSV", "ORC", "Parquet")


@dataclass(frozen=True)
class Manifest:
    """One inventory. `modified_ns` is when it was complete, `form` one of FORMATS. `columns` are
    those of its CSV files, in their order; the other forms say theirs in each file. `files` are the keys of
    the files, in the bucket of the manifest, and their sizes in bytes."""

    address: str
    modified_ns: int
    source_bucket: str
    form: str
    columns: Sequence[str]
    files: Sequence[tuple[str, int]]


def newest(address: str) -> Manifest:
    """Return the newest inventory below an address. One without its checksum isn't complete yet, and the one
    before it is taken.

    Raises BadInput where there is none, or it isn't what its checksum says, or can't be understood.
    """
    folder = S3Folder.at(address)
    found = {each.name: each.modified_ns for each in folder.listing() if MANIFEST.search(each.name)}
    manifests = [name for name in found if name.endswith(".json")]
    for name in sorted(manifests, key=_begun, reverse=True):
        sum_name = name.removesuffix(".json") + ".checksum"
        checksum = folder.read(sum_name)
        if checksum is None or (content := folder.read(name)) is None:
            continue
        uri = folder.uri(name)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if digest.encode() != checksum.strip():
            raise BadInput(
                f"{uri} isn't what its manifest.checksum says; wait for the next inventory, or remove this "
                f"one."
            )
        return _manifest(uri, content, modified_ns=max(found[name], found.get(sum_name, 0)))
    raise BadInput(
        f"There is no inventory below {address} (…/YYYY-MM-DDTHH-MMZ/manifest.json with its "
        f"manifest.checksum); S3 writes the first one within two days. Wait for it, or correct "
        f"landing.inventory."
    )


def _begun(name: str) -> str:
    found = MANIFEST.search(name)
    return found[1] if found else ""


def _manifest(uri: str, content: bytes, *, modified_ns: int) -> Manifest:
    try:
        told: Any = json.loads(content)
        form, schema = told["fileFormat"], told["fileSchema"]
        files = [(each["key"], each["size"]) for each in told["files"]]
        source, columns = told["sourceBucket"], [each.strip() for each in schema.split(",")]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput(
            f"{uri} isn't a manifest of S3 Inventory; correct landing.inventory."
        ) from None
    if form not in FORMATS:
        raise BadInput(
            f"{uri} is of files in the form {form}; let S3 Inventory write {' or '.join(FORMATS)}."
        )
    return Manifest(uri, modified_ns, source, form, columns, files)
