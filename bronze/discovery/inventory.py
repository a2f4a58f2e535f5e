"""Objects that an S3 Inventory lists: a first load doesn't list a bucket of many millions itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from bronze.discovery import inventory_files, inventory_manifest
from bronze.discovery.earlier_runs import EarlierRuns
from bronze.discovery.inventory_manifest import Manifest
from bronze.discovery.way import Way
from bronze.landing import Landing, LandingObject, Listing, ListingCounts
from conf.errors import BadInput
from lake.storage.addresses import bucket_and_prefix
from lake.storage.folder import StoredObject
from lake.storage.s3_folder import S3Folder


@dataclass(frozen=True)
class Inventory(Way):
    """The way of `landing.inventory`: a run looks at what the newest inventory lists, unless an earlier one
    did. The first run does so too, and the next one lists the whole folder: what came since the inventory is
    found then."""

    landing: Landing
    address: str

    def listings(self, earlier: EarlierRuns) -> Iterator[Listing]:
        """Yield what the inventory lists, or the listing of all where that is due."""
        if earlier.since is None and not earlier.is_first:
            yield self.landing
            return
        manifest = inventory_manifest.newest(self.address)
        bucket, _ = bucket_and_prefix(self.landing.root, may_be_bucket=True)
        if manifest.source_bucket != bucket:
            raise BadInput(
                f"{manifest.address} is an inventory of the bucket {manifest.source_bucket}, and the landing "
                f"folder is {self.landing.root}; correct landing.inventory."
            )
        since = earlier.since
        if since is None or manifest.modified_ns > since.timestamp() * 1e9:
            yield InventoriedObjects(self.landing, self.address, manifest)


@dataclass(frozen=True)
class InventoriedObjects:
    """The objects of a landing folder in S3 as an inventory lists them. Those that went or changed since are
    met when they are read."""

    landing: Landing
    address: str
    manifest: Manifest
    is_whole: ClassVar[bool] = False

    def objects(self, counts: ListingCounts) -> Iterator[LandingObject]:
        """Yield the objects, and count what is met. Raises BadInput where the inventory can't be read."""
        yield from self.landing.taken(self._stored(), counts)

    def _stored(self) -> Iterator[StoredObject]:
        bucket, prefix = bucket_and_prefix(self.landing.root, may_be_bucket=True)
        under = f"{prefix}/" if prefix else ""
        files = S3Folder(bucket_and_prefix(self.address, may_be_bucket=True)[0], "")
        for row in inventory_files.rows(files, self.manifest):
            key = row["key"]
            if row["bucket"] != bucket or not key.startswith(under):
                continue
            name = key.removeprefix(under)
            if not row["size"] and not name.rpartition("/")[2]:
                continue  # what consoles make for a folder
            yield StoredObject(
                self.landing.files,
                name,
                row["size"],
                modified_ns=inventory_files.modified_ns(row),
                tag=row["e_tag"].strip('"'),
                is_archived=inventory_files.is_archived(row),
            )
