"""The upload of one object to S3 whose bytes are written piece by piece."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, cast

from lake import aws
from lake.storage.s3_requests import requests


@contextmanager
def uploaded(uri: str, which: Mapping[str, str]) -> Iterator[BinaryIO]:
    """Yield a file of this machine whose bytes are put as one object when the context ends without an error.

    `which` names the object as boto3's calls do: `Bucket` and `Key`. Errors name `uri`. Raises StorageFailed.
    """
    # Where Spark keeps what it spills: a worker is told, and the system's own place may be memory.
    folder = os.environ.get("SPARK_LOCAL_DIRS", "").partition(",")[0]
    with tempfile.TemporaryFile(dir=folder if os.path.isdir(folder) else None) as file:
        yield cast(BinaryIO, file)
        file.seek(0)
        with requests(uri):
            aws.client("s3").upload_fileobj(file, which["Bucket"], which["Key"])
