"""The folder of an address, wherever it lies."""

from __future__ import annotations

from lake.storage.addresses import is_s3
from lake.storage.folder import Folder
from lake.storage.local_folder import LocalFolder


def folder(root: str) -> Folder:
    """The files under a local folder, or under `s3://bucket/prefix` or `s3://bucket`. Raises BadInput for
    another scheme."""
    if is_s3(root):
        # Loaded here: a local lake needs nothing of AWS.
        from lake.storage.s3_folder import S3Folder

        return S3Folder.at(root)
    return LocalFolder(root)
