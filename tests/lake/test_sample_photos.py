"""What `write_samples` promises: the same files each time, and all that goes wrong in real life."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageChops, ImageOps, ImageStat

from bronze.formats.cleaning_results import NotAPhoto
from bronze.formats.metadata_removal import clean
from lake.samples import sample_photos
from lake.samples.sample_photos import write_samples

ALL = 60
EUROPE = ((35, 60), (-10, 30))  # degrees north, degrees east


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    landing = tmp_path_factory.mktemp("sixty") / "landing"
    assert write_samples(landing, ALL) == ALL
    return landing


@pytest.fixture(scope="module")
def shown(sixty: Path) -> dict[str, Image.Image]:
    return photos(sixty)


def contents(landing: Path) -> dict[str, bytes]:
    files = (path for path in landing.rglob("*") if path.is_file())
    return {path.relative_to(landing).as_posix(): path.read_bytes() for path in files}


def times(landing: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in landing.rglob("*")}


def photos(landing: Path) -> dict[str, Image.Image]:
    """Every sample that decodes and is more than one pixel or colour."""
    found: dict[str, Image.Image] = {}
    for name, content in contents(landing).items():
        try:
            with Image.open(io.BytesIO(content)) as image:
                image.load()
        except OSError:
            continue
        if image.size != (1, 1) and max(ImageStat.Stat(image).stddev) > 4:
            found[name] = image
    return found


# The same files each time


def test_a_sample_depends_on_its_number_alone(sixty: Path, tmp_path: Path) -> None:
    assert write_samples(tmp_path, 4) == 4
    assert write_samples(tmp_path, 12) == 8
    few, many = contents(tmp_path), contents(sixty)
    assert len(few) == 12
    assert few == {name: many[name] for name in few}


def test_a_second_call_changes_nothing(sixty: Path) -> None:
    before = contents(sixty), times(sixty)
    assert write_samples(sixty, ALL) == 0
    assert write_samples(sixty, 7) == 0
    assert (contents(sixty), times(sixty)) == before


def test_what_is_gone_comes_back_and_what_is_there_stays(tmp_path: Path) -> None:
    write_samples(tmp_path, 3)
    first, second, *_ = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    drawn = second.read_bytes()
    first.write_bytes(b"the user's own")
    second.unlink()
    assert write_samples(tmp_path, 3) == 1
    assert first.read_bytes() == b"the user's own"
    assert second.read_bytes() == drawn


def test_no_samples_make_an_empty_folder(tmp_path: Path) -> None:
    assert write_samples(tmp_path / "not" / "there", 0) == 0
    assert not contents(tmp_path / "not" / "there")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_samples(tmp_path, 1)
    assert not contents(tmp_path)


def test_no_partial_file_stays(sixty: Path) -> None:
    assert not [name for name in contents(sixty) if Path(name).name.startswith(".")]


# The mix


def oddity(name: str, content: bytes, seen: set[bytes]) -> str:
    if not content:
        return "empty"
    if content in seen:
        return "repeated"
    try:
        photo = clean(content)
    except NotAPhoto:
        return "text"
    if (photo.width, photo.height) == (1, 1):
        return "pixel"
    image = Image.open(io.BytesIO(content))
    try:
        image.load()
    except OSError:
        return "truncated"
    if max(ImageStat.Stat(image).stddev) < 1:
        return "blank"
    return "disguised" if photo.format == "PNG" and name.endswith("jpg") else photo.format


def test_the_mix_of_sixty(sixty: Path) -> None:
    seen: set[bytes] = set()
    mix: Counter[str] = Counter()
    for name, content in contents(sixty).items():
        mix[oddity(name, content, seen)] += 1
        seen.add(content)
    odd = {"truncated", "repeated", "text", "blank", "pixel", "empty", "disguised"}
    assert odd | {"JPEG", "PNG", "WEBP"} == set(mix)
    assert sum(mix[kind] for kind in odd) <= 0.15 * ALL
    assert mix["JPEG"] > ALL / 2
    assert min(mix["PNG"], mix["WEBP"]) >= 3


def test_a_repeated_photo_has_its_subject_and_another_name(sixty: Path) -> None:
    names: dict[bytes, list[Path]] = {}
    for name, content in contents(sixty).items():
        names.setdefault(content, []).append(Path(name))
    ((one, other),) = (same for same in names.values() if len(same) > 1)
    assert one.parent == other.parent
    assert one.parts[0].startswith("subject=")


def test_paths_name_subject_and_label(sixty: Path) -> None:
    parts = [Path(name).parts for name in contents(sixty)]
    assert {part[-2].partition("=")[0] for part in parts} == {"label"}
    assert {part[0].partition("=")[0] for part in parts} == {"subject", "label"}
    named = sum(part[0].startswith("subject=") for part in parts)
    assert ALL * 0.7 < named < ALL
    assert len({part[-2] for part in parts}) >= 8


def test_the_first_twenty_hold_several_fruits_and_subjects(tmp_path: Path) -> None:
    write_samples(tmp_path, 20)
    names = photos(tmp_path)
    assert len({Path(name).parent.name for name in names}) >= 8
    assert len({Path(name).parts[0] for name in names if name.startswith("subject=")}) >= 5


def test_sizes_are_those_of_phones(shown: dict[str, Image.Image]) -> None:
    sizes = Counter(tuple(sorted(image.size)) for image in shown.values())
    assert sizes[480, 640] > ALL / 2
    assert sizes[960, 1280]
    assert sizes[3024, 4032] == 1


def test_every_orientation_is_there(shown: dict[str, Image.Image]) -> None:
    found = {image.getexif()[0x0112] for image in shown.values()}
    assert found == set(range(1, 9))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_stored_photo_is_upright_once_turned(orientation: int) -> None:
    upright = Image.effect_noise((64, 48), 90).convert("RGB")
    plan = replace(sample_photos._plan(0), format="PNG", orientation=orientation)
    content = sample_photos._encoded(upright, plan, np.random.default_rng(0))
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    assert not ImageChops.difference(turned, upright).getbbox()


# Private metadata, so that there is something to cut


def test_photos_tell_where_when_and_by_whom_they_were_taken(shown: dict[str, Image.Image]) -> None:
    for name, image in shown.items():
        exif = image.getexif()
        details, where = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
        for reference, (low, high) in ((1, EUROPE[0]), (3, EUROPE[1])):
            degrees, minutes, seconds = map(float, where[reference + 1])
            angle = degrees + minutes / 60 + seconds / 3600
            assert low < (-angle if where[reference] in ("S", "W") else angle) < high
        assert exif[0x010F]
        assert exif[0x0110]
        assert details[0xA431].startswith("SN")
        if name.startswith("subject="):
            assert f"subject={details[0xA430]}" == Path(name).parts[0]
        assert datetime.strptime(details[0x9003], "%Y:%m:%d %H:%M:%S").year == 2024


def test_the_thumbnail_shows_the_photo(shown: dict[str, Image.Image]) -> None:
    for image in shown.values():
        directory = image.getexif().get_ifd(ExifTags.IFD.IFD1)
        block = image.info["exif"].removeprefix(b"Exif\0\0")
        embedded = block[directory[0x0201] :][: directory[0x0202]]
        thumbnail = Image.open(io.BytesIO(embedded)).convert("RGB")
        expected = image.convert("RGB").resize(thumbnail.size, reducing_gap=2.0)
        difference = ImageStat.Stat(ImageChops.difference(thumbnail, expected))
        assert max(difference.mean) < 8


def test_cleaning_takes_it_all_and_leaves_the_day(
    sixty: Path, shown: dict[str, Image.Image]
) -> None:
    names = [person.name.encode() for person in sample_photos.PEOPLE]
    models = [person.model.encode() for person in sample_photos.PEOPLE]
    for path, image in shown.items():
        original = (sixty / path).read_bytes()
        photo = clean(original)
        assert any(name in original for name in names)
        assert not any(word in photo.content for word in names + models)
        assert set(photo.days) <= {date(2024, 5, 1), date(2024, 5, 2)}
        assert Image.open(io.BytesIO(photo.content)).size == image.size
