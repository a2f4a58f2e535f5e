"""The folder `s3://bucket/prefix`, by boto3. Spark reaches the tables in it by a connector of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, ClassVar
from urllib.parse import unquote

from lake import aws
from lake.concurrent_work import merged
from lake.storage import s3_listing
from lake.storage.addresses import S3, bucket_and_prefix
from lake.storage.folder import (
    Folder,
    ObjectGone,
    ObjectUnreadable,
    StoredKind,
    StoredObject,
)
from lake.storage.s3_reader import open_object
from lake.storage.s3_requests import (
    CHANGED,
    EMPTY,
    StorageFailed,
    content_of,
    delete_objects,
    requests,
)
from lake.storage.s3_swap import swap_object
from lake.storage.s3_upload import uploaded

ARCHIVED = "InvalidObjectState"
"""The code by which S3 says that an object lies in an archive."""


@dataclass(frozen=True)
class S3Folder(Folder):
    """The objects under `s3://bucket/prefix`. `Folder` documents its methods."""

    bucket: str
    prefix: str

    # S3 takes tens of milliseconds to send the first byte of an object.
    readers: ClassVar[int] = 8

    @classmethod
    def at(cls, uri: str) -> S3Folder:
        """Return the folder of an address, which may be a whole bucket. Raises BadInput where it is none."""
        return cls(*bucket_and_prefix(uri, may_be_bucket=True))

    @property
    def root(self) -> str:  # type: ignore[override]
        """The address of the folder: `s3://bucket/prefix`, or `s3://bucket`."""
        return f"{S3}{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def _s3(self) -> Any:
        return aws.client("s3")

    def _key(self, name: str) -> str:
        """Return the key of the object with a name."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def _of(self, name: str) -> dict[str, str]:
        """Return the parameters by which boto3's calls name an object."""
        return {"Bucket": self.bucket, "Key": self._key(name)}

    def _calls(self, name: str) -> Any:
        """Return a context in which failed requests raise errors that name an object of the folder."""
        return requests(self.uri(name))

    def name_of(self, uri: str) -> str:
        key = unquote(uri).partition("://")[2].partition("/")[2]
        return key.removeprefix(self._key(""))

    def is_there(self) -> bool:
        """Return True: in a bucket, a folder exists without being made."""
        return True

    def make(self) -> None:
        """Do nothing: in a bucket, a folder exists without being made."""

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
        return open_object(self.uri(name), which)

    def write(self, name: str, content: bytes) -> None:
        with self._calls(name):
            self._s3.put_object(**self._of(name), Body=content)

    def create(self, name: str) -> AbstractContextManager[BinaryIO]:
        return uploaded(self.uri(name), self._of(name))

    def add_name(self, name: str, new: str) -> None:
        """Have S3 copy the object itself."""
        with self._calls(name):
            self._s3.copy(self._of(name), self.bucket, self._key(new))

    def swap(self, name: str, content: bytes | None, *, expected: bytes | None) -> bool:
        """Put `content` in the place of `expected` by conditional requests (lake/storage/s3_swap.py)."""
        if content is None and expected is None:
            return not self.exists(name)
        return swap_object(self.uri(name), self._of(name), content, expected=expected)

    def delete(self, name: str) -> None:
        with self._calls(name):
            self._s3.delete_object(**self._of(name))

    def delete_folder(self, name: str, *, check: Callable[[], None]) -> None:
        keys = [self._key(each) for each in self.current(name)]
        with self._calls(name):
            delete_objects(self.bucket, keys, check=check)

    def copy_folder(self, name: str, to: str) -> None:
        for each in self.current(name):
            self.add_name(each, to + each.removeprefix(name))

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
        """Yield every version, unfinished upload and delete marker under a folder.

        `folders` has no effect, because folders in a bucket are no objects. Delete markers come last: if one
        were removed before the versions that it hides, readers would see these again.
        """
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

    def listing(self, *, begin: str = "") -> Iterator[StoredObject]:
        """Yield the objects by several requests at once: each lists the keys between two of the prefixes
        right under the root. What consoles make for a folder, an empty object whose key ends with `/`, is
        left out."""
        start = s3_listing.before(self._key(begin)) if begin else ""
        prefixes = [
            found["Prefix"]
            for page in self._pages(
                "list_objects_v2", "", Delimiter="/", **s3_listing.begins_after(start)
            )
            for found in page.get("CommonPrefixes", [])
        ]
        spans = s3_listing.spans(prefixes, start=start)
        for page in merged([partial(self._between, *each) for each in spans], s3_listing.LISTINGS):
            for each in page:
                if each.name >= begin and not _is_mark(each):
                    yield each

    def look_up(self, name: str) -> StoredObject | None:
        """Return the object with a name, as `listing` tells of it; None where there is none."""
        key = self._key(name)
        with requests("a landing object"):  # names may name people
            which = {"Bucket": self.bucket, "Prefix": key, "MaxKeys": 1, **s3_listing.RESTORED}
            for found in self._s3.list_objects_v2(**which).get("Contents", []):
                stored = self._stored(found)
                return stored if stored.name == name and not _is_mark(stored) else None
        return None

    def read_listed(self, listed: StoredObject) -> bytes:
        """Return the bytes of an object as it was listed. Raises ObjectGone and ObjectUnreadable.

        Raises StorageFailed where the bucket throttles or doesn't answer: that says nothing of the object.
        """
        return self._listed_content(listed)

    def can_read(self, listed: StoredObject) -> bool:
        try:
            self._listed_content(listed, Range="bytes=0-0")
        except (ObjectGone, ObjectUnreadable):
            return False
        return True

    def _listed_content(self, listed: StoredObject, **more: str) -> bytes:
        # The address stays out of the message, because names in a landing folder may name people.
        which = {**self._of(listed.name), "IfMatch": f'"{listed.tag}"', **more}
        try:
            content, _ = content_of("a landing object", **which)
        except FileNotFoundError:
            raise ObjectGone from None
        except StorageFailed as error:
            if error.code in CHANGED:
                raise ObjectGone from None
            if error.code in EMPTY:
                return b""
            if error.is_of_object:
                what = "; restore it there" if error.code == ARCHIVED else ""
                raise ObjectUnreadable(f"S3 says {error.code}{what}") from None
            raise
        return content

    def _between(self, first: str, end: str | None) -> Iterator[list[StoredObject]]:
        """Yield the pages of objects with keys after `first` and up to `end`; None is the end of the
        listing."""
        which = {**s3_listing.RESTORED, **s3_listing.begins_after(first)}
        for page in self._pages("list_objects_v2", "", **which):
            found = page.get("Contents", [])
            within = [each for each in found if end is None or each["Key"] <= end]
            yield list(map(self._stored, within))
            if len(within) < len(found):
                return

    def _stored(
        self,
        found: dict[str, Any],
        *,
        kind: StoredKind = StoredKind.FILE,
        version: str | None = None,
    ) -> StoredObject:
        """Return the object of an entry in a listing. S3 tells times in milliseconds."""
        return StoredObject(
            self,
            self._name(found["Key"]),
            found["Size"],
            kind,
            int(found["LastModified"].timestamp() * 1_000_000) * 1_000,
            found["ETag"].strip('"'),
            version,
            s3_listing.is_archived(found),
        )

    def _pages(self, call: str, under: str, **more: Any) -> Iterator[dict[str, Any]]:
        """Yield the answers of a listing call of boto3 for the keys that begin with `under`."""
        with self._calls(under.rstrip("/")):
            pages = self._s3.get_paginator(call)
            yield from pages.paginate(Bucket=self.bucket, Prefix=self._key(under), **more)

    def _name(self, key: str) -> str:
        """Return the name, relative to the root, of the object with a key."""
        return key.removeprefix(self._key(""))


def _is_mark(stored: StoredObject) -> bool:
    """Return whether an object is what consoles make for a folder."""
    return not stored.size and not stored.name.rpartition("/")[2]
