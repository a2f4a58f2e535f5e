"""Histories of bronze without Spark. What commands of privacy do is written into the tables by the model."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from deltalake import write_deltalake

from lake import catalog, delta_rs_reader, known_keys, lake_format
from lake.enums import ERASE, RETAIN, Outcome
from lake.small_tables import arrow_rows
from privacy import photo_removal, tombstones
from privacy.retention import OF_PHOTOS
from tests.support.arrow_lake import ArrowPlace
from tests.support.bronze_contents import CONTENTS
from tests.support.histories import History
from tests.support.lake_model import Held, Photo, Seen

Row = dict[str, Any]


class BronzeHistory(History):
    """A history whose acts are those of bronze, and rows that leave or change as commands leave them."""

    place: ArrowPlace

    def __init__(self, place: ArrowPlace, chance: random.Random) -> None:
        super().__init__(place, chance)

    def _erased(self, *, subject: str | None = None, photo: Photo | None = None) -> None:
        keys = lake_format.pseudonyms_of(self.place.files, self.place.settings.subjects)
        held = self._photos()
        gone = [each for each in held if each not in self.model.photos]
        hashes = [
            (each.subject and keys.subject(each.subject), keys.originals(CONTENTS[each.content]))
            for each in gone
        ]
        kinds = tombstones.of_photos(keys, hashes, with_subjects=photo is not None)
        if subject:
            kinds[keys.tombstone(keys.subject(subject))] = tombstones.SUBJECT
        if photo:
            kinds[keys.tombstone(self.contents.ids()[photo])] = tombstones.PHOTO_ID
        self._lay_out()
        with self.place.writing() as context:
            now, request = datetime.now(UTC), f"request-{self.model.act}"
            tombstones.make(context.lake, request, kinds=kinds, now=now, expires_at=None)
        self._write(held)
        with self.place.writing() as context:
            known_keys.forget(context.lake, layer=ERASE)

    def _expired(self, until: datetime) -> None:
        self._write(self._photos())
        with self.place.writing() as context:
            known_keys.forget(context.lake, layer=RETAIN)

    def _restored(self, version: int, then: dict[Photo, Held]) -> None:
        back = {each for each, held in then.items() if self.model.photos.get(each) == held}
        earlier = self._photos(version)
        self._write(self._photos() | {photo: earlier[photo] for photo in back})

    def _lay_out(self) -> None:
        """Removes the files that the model has no more."""
        for file in self.place.landing.rglob("*.png"):
            if str(file.relative_to(self.place.landing)) not in self.model.landing:
                file.unlink()

    def _photos(self, version: int | None = None) -> dict[Photo, Row]:
        """The rows of bronze/photos, now or as a version had them."""
        photos = {name: photo for photo, name in self.contents.ids().items()}
        root = self.place.files.root
        table = delta_rs_reader.delta_table(root, catalog.PHOTOS, version=version)
        rows = delta_rs_reader.read(table).to_pylist()
        return {photos[row["photo_id"]]: row for row in rows}

    def _write(self, photos: dict[Photo, Row]) -> None:
        """Gives bronze/photos and bronze/objects the rows of the model, of rows that there are."""
        kept = [row for photo, row in photos.items() if photo in self.model.photos]
        versions = dict(self.contents.versions())
        rows = [
            versions[version] | self._told(seen, versions[version])
            for version, seen in self.model.seen.items()
        ]
        refused = {
            (row["object"], row["chunk"]) for row in rows if row["outcome"] == Outcome.REJECTED
        }
        rejected = [
            row
            for row in self.place.lake.records(catalog.REJECTED)
            if (row["object"], row["chunk"]) in refused
        ]
        tables = {catalog.PHOTOS: kept, catalog.OBJECTS: rows, catalog.REJECTED: rejected}
        for table, own in tables.items():
            known = delta_rs_reader.delta_table(self.place.files.root, table)
            write_deltalake(known, arrow_rows(table, own), mode="overwrite")
        with self.place.writing() as context:
            photo_removal.recount(context.lake, catalog.PHOTOS)

    def _told(self, seen: Seen, row: Row) -> Row:
        """What a row of bronze/objects says by the model."""
        if seen.outcome == Outcome.EXPIRED:
            return dict.fromkeys(OF_PHOTOS) | {"outcome": seen.outcome}
        return {"left_at": row["seen_at"] if seen.has_left else None}
