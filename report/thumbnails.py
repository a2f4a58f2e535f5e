"""Small pictures of photos that belong to no person, decoded as silver does it and encoded anew."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from lake import arrow_reads, catalog, delta_rs_reader
from lake.enums import PixelWay
from silver import pixels
from silver.decoder_process import Decoder
from silver.pixels import Limits, RefusedPhoto

SIDE = 144
"""The width and height of a picture, in pixels."""

WITHOUT_SUBJECT = pc.field("subject").is_null()


@dataclass(frozen=True)
class FreePhotos:
    """Some photos of bronze/photos of which everything may be shown: they are of no person.

    `paths` are their paths below the landing folder, by their ids. `groups` are the row groups that hold one.
    """

    paths: Mapping[str, str]
    schema: pa.Schema
    groups: Sequence[Any]

    @classmethod
    def of(cls, root: str, photo_ids: Collection[str]) -> FreePhotos:
        """Find those of some photos of a lake that may be shown.

        A photo that has a subject is left out, and so is a copy of one. Memory is bounded however many photos
        the lake has: only row groups that hold one of the photos are read as a whole. Raises BadInput where
        there is no lake.
        """
        photos = delta_rs_reader.dataset(delta_rs_reader.delta_table(root, catalog.PHOTOS))
        asked = pc.field("photo_id").isin(pa.array(photo_ids, pa.string()))
        groups: list[Any] = []
        found: dict[str, dict[str, str]] = {}
        for file in photos.get_fragments():
            for group in file.split_by_row_group():
                columns = {"schema": photos.schema, "columns": ["photo_id", "original", "path"]}
                rows = arrow_reads.table(
                    group, filter=asked & WITHOUT_SUBJECT, **columns
                ).to_pylist()
                if rows:
                    groups.append(group)
                    found |= {row["photo_id"]: row for row in rows}
        originals = pa.array([row["original"] for row in found.values()], pa.string())
        of_a_subject = ~WITHOUT_SUBJECT & pc.field("original").isin(originals)
        copies = set[str]()
        if groups:
            table = arrow_reads.table(photos, columns=["original"], filter=of_a_subject)
            copies.update(table["original"].to_pylist())
        free = {i: row["path"] for i, row in found.items() if row["original"] not in copies}
        return cls(free, photos.schema, groups)

    def contents(self) -> dict[str, bytes]:
        """Return the bytes of the photos, by their ids."""
        chosen = pc.field("photo_id").isin(pa.array(self.paths, pa.string()))
        columns = {"schema": self.schema, "columns": ["photo_id", "content"]}
        found: dict[str, bytes] = {}
        for group in self.groups:
            table = arrow_reads.table(group, filter=chosen & WITHOUT_SUBJECT, **columns)
            found |= {row["photo_id"]: row["content"] for row in table.to_pylist()}
        return found


def contents(root: str, photo_ids: Collection[str]) -> dict[str, bytes]:
    """Return the bytes of some photos of bronze/photos, by their ids, without any photo of a person.

    Raises BadInput where there is no lake.
    """
    return FreePhotos.of(root, photo_ids).contents()


def decoder(limits: Limits) -> Decoder:
    """Start the process that `pictures` decodes photos in. Raises OSError where none can be started."""
    return Decoder(pixels.decode, size=SIDE, limits=limits, way=PixelWay.HAMMING)


def pictures(photos: Sequence[bytes], *, by: Decoder) -> list[bytes | None]:
    """Return a JPEG of SIDE × SIDE pixels for each photo, or None for a photo that can't be decoded.

    A JPEG holds nothing of the photo's file but its pixels.
    """
    found: list[bytes | None] = []
    with closing(by.decoded(photos)) as decoded:
        for photo in decoded:
            if isinstance(photo, RefusedPhoto):
                found.append(None)
                continue
            encoded = io.BytesIO()
            Image.fromarray(photo.pixels).save(encoded, "JPEG", quality=80)
            found.append(encoded.getvalue())
    return found
