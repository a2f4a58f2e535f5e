"""Small pictures of photos that belong to no person, decoded as silver does it and encoded anew."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from lake import catalog, delta_rs_reader
from silver import pixels
from silver.decoder_process import Decoder
from silver.pixels import Limits, RefusedPhoto

SIDE = 144
"""The width and height of a picture, in pixels."""


def contents(root: str, photo_ids: Collection[str]) -> dict[str, bytes]:
    """Return the bytes of some photos of bronze/photos, by their ids, without any photo of a person.

    A photo that has a subject is left out, and so is a copy of one. Memory is bounded however many photos the
    lake has: ids are read first, and then only the row groups that hold one of them. Raises BadInput where
    there is no lake.
    """
    photos = delta_rs_reader.dataset(delta_rs_reader.delta_table(root, catalog.PHOTOS))
    asked = pc.field("photo_id").isin(pa.array(photo_ids, pa.string()))
    without_subject = asked & pc.field("subject").is_null()
    groups: list[Any] = []
    originals: dict[str, str] = {}
    for file in photos.get_fragments():
        for group in file.split_by_row_group():
            columns = {"schema": photos.schema, "columns": ["photo_id", "original"]}
            rows = group.to_table(filter=without_subject, **columns).to_pylist()
            if rows:
                groups.append(group)
                originals |= {row["photo_id"]: row["original"] for row in rows}
    if not groups:
        return {}
    of_a_subject = ~pc.field("subject").is_null() & pc.field("original").isin(
        pa.array(originals.values(), pa.string())
    )
    copies = photos.to_table(columns=["original"], filter=of_a_subject)["original"].to_pylist()
    free = [photo for photo, original in originals.items() if original not in copies]
    chosen = pc.field("photo_id").isin(pa.array(free, pa.string()))
    found: dict[str, bytes] = {}
    for group in groups:
        table = group.to_table(
            schema=photos.schema, columns=["photo_id", "content"], filter=chosen & without_subject
        )
        found |= {row["photo_id"]: row["content"] for row in table.to_pylist()}
    return found


def decoder(limits: Limits) -> Decoder:
    """Start the process that `pictures` decodes photos in. Raises OSError where none can be started."""
    return Decoder(pixels.decode, size=SIDE, limits=limits)


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
            Image.fromarray(photo).save(encoded, "JPEG", quality=80)
            found.append(encoded.getvalue())
    return found
