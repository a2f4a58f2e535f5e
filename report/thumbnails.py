"""Small pictures of photos that are nobody's: decoded as silver does, and encoded anew."""

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
"""Of a picture, in pixels."""


def contents(root: str, photo_ids: Collection[str]) -> dict[str, bytes]:
    """What bronze/photos holds of those photos, but of none that is a subject's, or a copy of a subject's.

    Ids are looked through first, and then the row groups alone that hold one: bounded memory, however many
    photos there are. Raises BadInput where there is no lake.
    """
    held = delta_rs_reader.delta_table(root, catalog.PHOTOS).to_pyarrow_dataset()
    wanted = pc.field("photo_id").isin(pa.array(photo_ids, pa.string()))
    nobodys = wanted & pc.field("subject").is_null()
    groups: list[Any] = []
    originals: dict[str, str] = {}
    for file in held.get_fragments():
        for group in file.split_by_row_group():
            columns = {"schema": held.schema, "columns": ["photo_id", "original"]}
            found = group.to_table(filter=nobodys, **columns).to_pylist()
            if found:
                groups.append(group)
                originals |= {row["photo_id"]: row["original"] for row in found}
    if not groups:
        return {}
    somebodys = ~pc.field("subject").is_null() & pc.field("original").isin(
        pa.array(originals.values(), pa.string())
    )
    copies = held.to_table(columns=["original"], filter=somebodys)["original"].to_pylist()
    free = [photo for photo, original in originals.items() if original not in copies]
    chosen = pc.field("photo_id").isin(pa.array(free, pa.string()))
    found = {}
    for group in groups:
        rows = group.to_table(
            schema=held.schema, columns=["photo_id", "content"], filter=chosen & nobodys
        )
        found |= {row["photo_id"]: row["content"] for row in rows.to_pylist()}
    return found


def decoder(limits: Limits) -> Decoder:
    """What `pictures` decodes with: a process of its own. Raises OSError where none can be made."""
    return Decoder(pixels.decode, size=SIDE, limits=limits)


def pictures(photos: Sequence[bytes], *, by: Decoder) -> list[bytes | None]:
    """A JPEG of SIDE pixels a side of each, without anything of the file but its pixels; None of one that
    can't be decoded."""
    made: list[bytes | None] = []
    with closing(by.decoded(photos)) as decoded:
        for photo in decoded:
            if isinstance(photo, RefusedPhoto):
                made.append(None)
                continue
            encoded = io.BytesIO()
            Image.fromarray(photo).save(encoded, "JPEG", quality=80)
            made.append(encoded.getvalue())
    return made
