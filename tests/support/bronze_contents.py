"""What bronze's tables hold, in the words of `tests.support.lake_model`: there are few paths, subjects and
contents, so their keyed hashes can be looked up."""

from __future__ import annotations

import io
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
from PIL import Image

from lake import catalog, lake_format
from lake.enums import BRONZE
from tests.support.lake_model import BROKEN, Photo

SUBJECTS = (None, "marianne", "thorsten")
LABELS = ("kiwi", "lime")
NAMES = ("a", "b", "c", "d", BROKEN)
PATHS = tuple(
    (f"subject={subject}/" if subject else "") + f"label={label}/{number}.png"
    for subject, label, number in product(SUBJECTS, LABELS, range(3))
)
PHOTOS = tuple(Photo(*each) for each in product(SUBJECTS, NAMES))


def _content(name: str) -> bytes:
    if name == BROKEN:
        return b"I am no photo."
    pixels = np.random.default_rng(sum(name.encode())).integers(0, 255, (40, 40, 3), np.uint8)
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "PNG")
    return made.getvalue()


CONTENTS = {name: _content(name) for name in NAMES}


class BronzeContents:
    """The rows of the lake of a place."""

    def __init__(self, place: Any) -> None:
        self._place = place

    def ids(self) -> dict[Photo, str]:
        """The id of each photo that there may be."""
        keys = lake_format.pseudonyms_of(self._place.files, self._place.settings.subjects)
        return {
            photo: keys.photo_ids.of(
                CONTENTS[photo.content],
                original=keys.originals(CONTENTS[photo.content]),
                subject=photo.subject and keys.subject(photo.subject),
            )
            for photo in PHOTOS
        }

    def versions(self) -> dict[tuple[str, int], dict[str, Any]]:
        """The rows of bronze/objects by their versions, as the model names them."""
        keys = lake_format.pseudonyms_of(self._place.files, self._place.settings.subjects)
        paths = {keys.path(path): path for path in PATHS}
        rows = self._place.lake.records(catalog.OBJECTS)
        return {
            (paths[row["object"]], int(row["etag"].split("-")[0]) // 10**9): row for row in rows
        }

    def objects(self) -> list[tuple[Any, ...]]:
        """The rows of bronze/objects, in the words of the model."""
        keys = lake_format.pseudonyms_of(self._place.files, self._place.settings.subjects)
        subjects = {keys.subject(name): name for name in SUBJECTS if name}
        photos = {name: photo for photo, name in self.ids().items()}
        return sorted(
            (
                *version,
                row["outcome"],
                str(subjects.get(row["subject"])),
                str(photos.get(row["photo_id"])),
                str(row["label"]),
                row["path"] is not None,
                row["left_at"] is not None,
            )
            for version, row in self.versions().items()
        )

    def labels(self, table: catalog.Table) -> list[tuple[str, str]]:
        """The photos of a table and their labels."""
        photos = {name: photo for photo, name in self.ids().items()}
        rows = self._place.lake.records(table, columns=["photo_id", "label"])
        return sorted((str(photos[row["photo_id"]]), row["label"]) for row in rows)

    def photos_by_chunk(self) -> Counter[int]:
        """The rows of bronze/photos by their chunks."""
        rows = self._place.lake.records(catalog.PHOTOS, columns=["chunk"])
        return Counter(row["chunk"] for row in rows)

    def counted_by_chunk(self) -> dict[int, int]:
        """The photos of bronze's chunks, as ops/chunks tells."""
        chunks = self._place.lake.ledger.chunks().values()
        return {
            chunk.number: chunk.photos
            for chunk in chunks
            if chunk.layer == BRONZE and chunk.is_published and chunk.photos
        }
