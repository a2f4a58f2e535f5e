"""A prefix of a bucket of S3 as a folder, by boto3. Spark reads and writes tables there by itself."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar
from urllib.parse import unquote

from conf.errors import FruitLakeError
from lake import aws
from lake.storage.addresses import S3, bucket_and_prefix
from lake.storage.folder import (
    Folder,
    ObjectGone,
    ObjectUnreadable,
    StoredKind,
    StoredObject,
)
from lake.storage.s3_requests import CHANGED, UNREADABLE, StorageFailed, content_of, requests

READ_AHEAD = 1 << 20
"""The least bytes that one request asks for, when an object is read from somewhere in it."""

LISTINGS = 16
"""How many requests list a bucket at once."""

READERS = 8
"""How many objects one process reads at once: S3 takes tens of milliseconds to an object's first byte."""


@dataclass(frozen=True)
class S3Folder(Folder):
    """The objects under `s3://bucket/prefix`."""

    bucket: str
    prefix: str

    readers: ClassVar[int] = READERS

    @classmethod
    def at(cls, uri: str) -> S3Folder:
        """The folder of an address. Raises BadInput where it isn't `s3://bucket/prefix`."""
        return cls(*bucket_and_prefix(uri))

    @property
    def root(self) -> str:  # type: ignore[override]
        """The address."""
        return f"{S3}{self.bucket}/{self.prefix}"

    @property
    def _s3(self) -> Any:
        return aws.client("s3")

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _of(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._key(name)}

    def _calls(self, name: str) -> Any:
        return requests(self.uri(name))

    def name_of(self, uri: str) -> str:
        key = unquote(uri).partition("://")[2].partition("/")[2]
        return key.removeprefix(f"{self.prefix}/")

    def is_there(self) -> bool:
        """A bucket needs no folders."""
        return True

    def make(self) -> None:
        """A bucket needs no folders."""

    def exists(self, name: str) -> bool:
        with self._calls(name):
            for prefix in (self._key(name), f"{self._key(name)}/"):
                found = self._s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=1)
                if any(o["Key"] == prefix or prefix[-1] == "/" for o in found.get("Contents", [])):
                    return True
        return False

    def read(self, name: str) -> bytes | None:
        try:
            return content_of(self.uri(name), **self._of(name))[0]
        except FileNotFoundError:
            return None

    def open(self, name: str, *, version: str | None = None) -> BinaryIO:
        which = self._of(name) | ({"VersionId": version} if version else {})
        with self._calls(name):
            size = self._s3.head_object(**which)["ContentLength"]
        return io.BufferedReader(_Object(self.uri(name), which, size), READ_AHEAD)

    def write(self, name: str, content: bytes) -> None:
        with self._calls(name):
            self._s3.put_object(**self._of(name), Body=content)

    def swap(self, name: str, content: bytes | None, *, expected: bytes | None) -> bool:
        """Uses conditional requests: `If-None-Match` for a new object, `If-Match` for one that is there.

        A request that succeeded may be repeated because its answer was lost; then the object's metadata tells
        whether it is ours.
        """
        own = {"swap": secrets.token_hex(8)}
        condition = {"IfNoneMatch": "*"}
        if expected is not None:
            try:
                held, tag = content_of(self.uri(name), **self._of(name))
            except FileNotFoundError:
                return False
            if held != expected:
                return False
            condition = {"IfMatch": tag}
        elif content is None:
            return not self.exists(name)
        try:
            with self._calls(name):
                if content is None:
                    self._s3.delete_object(**self._of(name), **condition)
                else:
                    self._s3.put_object(**self._of(name), Body=content, Metadata=own, **condition)
        except FileNotFoundError:
            return content is None
        except StorageFailed as error:
            if error.code not in CHANGED:
                raise
            return content is not None and self._metadata(name) == own
        return True

    def _metadata(self, name: str) -> dict[str, str]:
        try:
            with self._calls(name):
                found: dict[str, str] = self._s3.head_object(**self._of(name))["Metadata"]
        except FileNotFoundError:
            return {}
        return found

    def delete(self, name: str) -> None:
        with self._calls(name):
            self._s3.delete_object(**self._of(name))

    def delete_folder(self, name: str) -> None:
        keys = [self._key(each) for each in self.current(name)]
        with self._calls(name):
            for first in range(0, len(keys), 1000):
                batch = [{"Key": key} for key in keys[first : first + 1000]]
                answer = self._s3.delete_objects(Bucket=self.bucket, Delete={"Objects": batch})
                for failed in answer.get("Errors", []):
                    told = FruitLakeError(
                        f"{S3}{self.bucket}/{failed['Key']} can't be deleted ({failed.get('Code')}); grant "
                        f"the right to, and run the same command again."
                    )
                    raise StorageFailed(told, code=failed.get("Code", ""))

    def copy_folder(self, name: str, to: str) -> None:
        self.delete_folder(to)
        for each in self.current(name):
            target = to + each.removeprefix(name)
            with self._calls(each):
                self._s3.copy(self._of(each), self.bucket, self._key(target))

    def folders(self, name: str) -> list[str]:
        return [
            found["Prefix"].rstrip("/").rpartition("/")[2]
            for page in self._pages("list_objects_v2", f"{name}/", Delimiter="/")
            for found in page.get("CommonPrefixes", [])
        ]

    def names(self, name: str, *, suffix: str) -> list[str]:
        return [
            base
            for page in self._pages("list_objects_v2", f"{name}/", Delimiter="/")
            for found in page.get("Contents", [])
            if (base := found["Key"].rpartition("/")[2]).endswith(suffix)
        ]

    def current(self, under: str) -> dict[str, int]:
        return {
            self._name(found["Key"]): found["Size"]
            for page in self._pages("list_objects_v2", f"{under}/" if under else "")
            for found in page.get("Contents", [])
        }

    def stored(self, under: str = "", *, folders: bool = False) -> Iterator[StoredObject]:
        """Keys share folders, which have no objects of their own. Delete markers come last: without its
        marker, what one hides would be seen again."""
        prefix = f"{under}/" if under else ""
        markers: list[StoredObject] = []
        for page in self._pages("list_object_versions", prefix):
            for found in page.get("Versions", []):
                kind = StoredKind.FILE if found["IsLatest"] else StoredKind.NONCURRENT
                yield self._stored(found, kind=kind, version=found["VersionId"])
            markers += [
                StoredObject(
                    self, self._name(m["Key"]), kind=StoredKind.MARKER, version=m["VersionId"]
                )
                for m in page.get("DeleteMarkers", [])
            ]
        for page in self._pages("list_multipart_uploads", prefix):
            for found in page.get("Uploads", []):
                name = self._name(found["Key"])
                yield StoredObject(self, name, kind=StoredKind.UPLOAD, version=found["UploadId"])
        yield from markers

    def superseded(self) -> Iterator[StoredObject]:
        return (each for each in self.stored() if each.kind is not StoredKind.FILE)

    def remove(self, stored: StoredObject) -> None:
        try:
            with self._calls(stored.name):
                if stored.kind is StoredKind.UPLOAD:
                    self._s3.abort_multipart_upload(
                        **self._of(stored.name), UploadId=stored.version
                    )
                else:
                    self._s3.delete_object(**self._of(stored.name), VersionId=stored.version)
        except FileNotFoundError:
            return

    def listing(self) -> Iterator[StoredObject]:
        """Several requests list at once, each the keys between two of the prefixes right under the root.

        What consoles make for a folder, an empty object whose name ends with `/`, is left out.
        """
        first = [
            found["Prefix"]
            for page in self._pages("list_objects_v2", "", Delimiter="/")
            for found in page.get("CommonPrefixes", [])
        ]
        bounds = first[:: max(1, len(first) // LISTINGS)][1:]
        spans = list(zip(["", *bounds], [*bounds, None], strict=True))
        with ThreadPoolExecutor(LISTINGS) as pool:
            for found in pool.map(lambda span: list(self._between(*span)), spans):
                yield from (each for each in found if each.size or not each.name.endswith("/"))

    def read_listed(self, listed: StoredObject) -> bytes:
        """Raises StorageFailed too, where the bucket throttles or is silent: that tells nothing of the
        object."""
        return self._listed_content(listed)

    def can_read(self, listed: StoredObject) -> bool:
        try:
            self._listed_content(listed, Range="bytes=0-0")
        except (ObjectGone, ObjectUnreadable):
            return False
        return True

    def _listed_content(self, listed: StoredObject, **more: str) -> bytes:
        # The address stays out of the message: names in a landing folder tell of people.
        which = {**self._of(listed.name), "IfMatch": f'"{listed.tag}"', **more}
        try:
            content, _ = content_of("a landing object", **which)
        except FileNotFoundError:
            raise ObjectGone from None
        except StorageFailed as error:
            if error.code in CHANGED:
                raise ObjectGone from None
            if error.code in UNREADABLE:
                raise ObjectUnreadable(f"S3 says {error.code}") from None
            raise
        return content

    def _between(self, first: str, end: str | None) -> Iterator[StoredObject]:
        """The objects with keys from `first` on and before `end`."""
        # A key right at `first` ends with `/`, and is no photo.
        after = {"StartAfter": first} if first else {}
        for page in self._pages("list_objects_v2", "", **after):
            for found in page.get("Contents", []):
                if end is not None and found["Key"] >= end:
                    return
                yield self._stored(found)

    def _stored(
        self,
        found: dict[str, Any],
        *,
        kind: StoredKind = StoredKind.FILE,
        version: str | None = None,
    ) -> StoredObject:
        """The object of an entry in a listing of objects or versions. S3 tells times in milliseconds."""
        return StoredObject(
            self,
            self._name(found["Key"]),
            found["Size"],
            kind,
            int(found["LastModified"].timestamp() * 1_000_000) * 1_000,
            found["ETag"].strip('"'),
            version,
        )

    def _pages(self, call: str, under: str, **more: Any) -> Iterator[dict[str, Any]]:
        with self._calls(under.rstrip("/")):
            pages = self._s3.get_paginator(call)
            yield from pages.paginate(Bucket=self.bucket, Prefix=self._key(under), **more)

    def _name(self, key: str) -> str:
        return key.removeprefix(f"{self.prefix}/")


class _Object(io.RawIOBase):
    """The bytes of an object, read by requests for ranges of it."""

    def __init__(self, uri: str, which: dict[str, str], size: int) -> None:
        self._uri, self._which, self._size, self._at = uri, which, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        span = f"bytes={self._at}-{self._at + wanted - 1}"
        content, _ = content_of(self._uri, **self._which, Range=span)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
