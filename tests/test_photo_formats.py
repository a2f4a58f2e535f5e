"""A photo format is one file in bronze/formats and one entry of a table: nothing else names formats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from bronze.formats.metadata_removal import CLEANERS, clean
from expectations import suites
from lake import catalog, photo_formats
from lake.photo_formats import FORMATS, PhotoFormat
from page import photo_files, server
from page.photo_arrivals import PHOTO_TYPES
from silver.pixels import Limits
from tests.support.decoded_photos import decoded_pixels
from tests.support.photo_files import encoded, picture

ROOT = Path(__file__).parents[1]
LIMITS = Limits(10**6, 10**6, 8, 4, 20.0, 10**9)

each_format = pytest.mark.parametrize("photo_format", FORMATS, ids=lambda each: each.name)


@each_format
def test_bronze_and_silver_take_each_format(photo_format: PhotoFormat) -> None:
    photo = encoded(picture(size=(64, 48)), photo_format.name)
    assert photo_formats.format_of(photo) is photo_format
    cleaned = clean(photo)
    assert (cleaned.format, cleaned.width, cleaned.height) == (photo_format.name, 64, 48)
    assert decoded_pixels(cleaned.content, size=32, limits=LIMITS).shape == (32, 32, 3)
    assert not photo_format.is_cut(cleaned.content)
    assert photo_format.is_cut(cleaned.content[:-20])


def test_the_files_that_clean_are_those_of_the_table() -> None:
    folder = ROOT / "bronze" / "formats"
    cleaning = {f.stem for f in folder.glob("*.py") if "\ndef cleaned(" in f.read_text()}
    assert cleaning == {each.name.lower() for each in FORMATS}
    assert CLEANERS.keys() == {each.name for each in FORMATS}


def test_the_suite_allows_the_formats_of_the_table() -> None:
    rules = suites.as_json(suites.name_of(catalog.PHOTOS))["expectations"]
    [known] = [rule for rule in rules if rule["meta"]["id"] == "format-known"]
    assert known["kwargs"]["value_set"] == [each.name for each in FORMATS]


class _NoQueue:
    max_bytes = 1

    async def snapshot(self) -> None: ...

    def close(self) -> None: ...


@each_format
def test_the_page_takes_each_format(photo_format: PhotoFormat) -> None:
    assert set(photo_format.media_types) <= set(PHOTO_TYPES)
    assert set(photo_format.endings) <= photo_files.ENDINGS
    with TestClient(server.app(_NoQueue()), base_url="http://localhost") as client:
        page = client.get("/").text
    [accepted] = re.findall(r'accept="([^"]*)"', page)
    assert set(photo_format.media_types) <= set(accepted.split(","))
    assert f"{photo_formats.listed('or')}. The photo" in page


@pytest.mark.parametrize("file", ["README.md"])
def test_pages_name_the_formats_of_the_table(file: str) -> None:
    assert f"Formats are {photo_formats.listed('and')}" in (ROOT / file).read_text()


@each_format
def test_a_header_that_is_cut_off_is_told_from_other_bytes(photo_format: PhotoFormat) -> None:
    header = encoded(Image.new("RGB", (9, 9)), photo_format.name)[: photo_formats.HEADER_BYTES]
    for length in range(1, len(header)):
        assert photo_formats.ends_in_header(header[:length])
    assert not photo_formats.ends_in_header(header)
    assert photo_formats.format_of(header) is photo_format
    assert not photo_formats.ends_in_header(b"no photo")
