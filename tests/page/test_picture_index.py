"""Pictures cost few reads: none for a photo that no answer has named, one group of rows for another."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from conf.errors import BadInput, FruitLakeError
from lake import catalog, delta_rs_reader
from page import question_queue
from page.picture_index import PictureIndex
from page.question_queue import NamedPhotos, QuestionQueue
from report.thumbnails import FreePhotos
from tests.support import canary
from tests.support.page_server import answer_of, golden_lake
from tests.support.photo_tables import write

FREE, OWN, COPY, ALIKE = ("a" * 63 + digit for digit in "1234")


def hash_of(seed):
    """As long as a hash, and other than that of another seed from the first digits on."""
    return f"{seed:08}" * 8


def photo(photo_id, seed, *, subject=None, original=None):
    row = {"photo_id": photo_id, "subject": subject, "content": canary.jpeg(seed)}
    return row | {"original": original or hash_of(seed), "path": f"kiwi/{photo_id[-4:]}.jpg"}


def files(root):
    """The data files of bronze/photos that the table has now."""
    table = DeltaTable(str(root / catalog.PHOTOS.name))
    return {Path(path.removeprefix("file://")) for path in table.file_uris()}


@pytest.fixture
def root(tmp_path):
    """Photos in two files. Their ids share all digits that the index keeps; one is a copy of a person's."""
    write(tmp_path, catalog.PHOTOS, [photo(FREE, 1), photo(OWN, 2, subject="pseudonym")])
    write(tmp_path, catalog.PHOTOS, [photo(COPY, 2), photo(ALIKE, 3)])
    return tmp_path


def test_a_photo_of_nobody_is_found_and_no_other(root):
    index = PictureIndex(str(root))
    assert index.content(FREE) == canary.jpeg(1)
    assert index.content(ALIKE) == canary.jpeg(3)
    assert [index.content(each) for each in (OWN, COPY, "a" * 64, "f" * 64)] == [None] * 4


def test_it_shows_what_the_page_of_similar_photos_shows(tmp_path):
    lake, _ = golden_lake(tmp_path)
    index = PictureIndex(lake.root)
    ids = [row["photo_id"] for row in delta_rs_reader.rows(lake.root, catalog.PHOTOS)]
    free = FreePhotos.of(lake.root, ids).contents()
    assert {each: content for each in ids if (content := index.content(each))} == free
    assert 0 < len(free) < len(ids)


def test_a_picture_reads_the_file_of_its_photo_alone(root):
    """Once the index is there, all other files may be gone."""
    index = PictureIndex(str(root))
    assert index.content(FREE)
    [own] = [file for file in files(root) if FREE in str(ids_of(file))]
    for file in files(root) - {own}:
        file.unlink()
    assert index.content(FREE) == canary.jpeg(1)
    own.unlink()
    with pytest.raises(FileNotFoundError):
        index.content(FREE)


def test_after_an_error_the_lake_is_opened_anew(root, tmp_path_factory):
    index, aside = PictureIndex(str(root)), tmp_path_factory.mktemp("aside") / "lake"
    assert index.content(FREE)
    root.rename(aside)
    for _ in range(2):
        with pytest.raises((OSError, BadInput)):
            index.content(FREE)
    write(root, catalog.PHOTOS, [photo("b" * 64, 4)])
    assert index.content("b" * 64) == canary.jpeg(4)
    assert index.content(FREE) is None


def ids_of(file):
    return pq.read_table(file, columns=["photo_id"])["photo_id"].to_pylist()


def test_a_picture_reads_one_group_of_rows(tmp_path):
    """The other groups' bytes are destroyed; by their smallest and largest ids the photo could be in them."""
    ids = [digit * 64 for digit in "0f1e2d3c"]
    rows = [photo(photo_id, seed) for seed, photo_id in enumerate(ids)]
    write(tmp_path, catalog.PHOTOS, rows)
    [file] = files(tmp_path)
    whole = pq.read_table(file)
    pq.write_table(whole, file, row_group_size=2, compression="none", use_dictionary=False)
    index = PictureIndex(str(tmp_path))
    assert index.content("2" * 64) == rows[4]["content"]
    content = file.read_bytes()
    for number in (0, 1, 3):
        column = pq.ParquetFile(file).metadata.row_group(number)
        place = next(
            column.column(at)
            for at in range(column.num_columns)
            if column.column(at).path_in_schema == "content"
        )
        begin = place.data_page_offset
        content = content.replace(
            content[begin : begin + place.total_compressed_size],
            b"\xff" * place.total_compressed_size,
        )
    file.write_bytes(content)
    assert index.content("2" * 64) == rows[4]["content"]
    with pytest.raises(Exception, match=r"(?i)deserial|page|corrupt|thrift|file"):
        index.content("1" * 64)


def test_files_that_are_new_are_read_and_those_before_are_not(root):
    index = PictureIndex(str(root))
    assert index.content(COPY) is None
    before = files(root)
    write(
        root,
        catalog.PHOTOS,
        [photo("b" * 64, 4), photo("c" * 64, 5, subject="p", original=hash_of(1))],
    )
    for file in before:
        file.rename(root / file.name)
    assert index.content("b" * 64) == canary.jpeg(4)
    for file in before:
        (root / file.name).rename(file)
    # Now somebody has sent the photo that was nobody's before.
    assert index.content(FREE) is None
    assert index.content(ALIKE) == canary.jpeg(3)


def test_a_photo_that_left_is_not_found(root):
    index = PictureIndex(str(root))
    assert index.content(FREE)
    DeltaTable(str(root / catalog.PHOTOS.name)).delete(f"photo_id = '{FREE}'")
    assert index.content(FREE) is None
    assert index.content(ALIKE) == canary.jpeg(3)


def test_an_empty_table_has_none(tmp_path):
    write(tmp_path, catalog.PHOTOS, [])
    assert PictureIndex(str(tmp_path)).content(FREE) is None


@pytest.fixture
def queue(tmp_path):
    lake, settings = golden_lake(tmp_path / "golden")
    own = QuestionQueue(lake, settings)
    yield own, Path(lake.root)
    own.close()


def test_a_photo_that_no_answer_has_named_costs_no_read(queue, tmp_path):
    """The lake is gone: whoever touches a table fails."""
    own, root = queue
    ids = [row["photo_id"] for row in delta_rs_reader.rows(str(root), catalog.PHOTOS)]
    shutil.move(root, tmp_path / "aside")
    for photo_id in (*ids, "0" * 64):
        assert answer_of(own.picture(photo_id)) is None


def test_pictures_are_of_photos_that_answers_have_named(queue, tmp_path):
    own, root = queue
    free = FreePhotos.of(
        str(root), [row["photo_id"] for row in delta_rs_reader.rows(str(root), catalog.PHOTOS)]
    ).contents()
    assert not any(answer_of(own.picture(each)) for each in free)
    named = answer_of(own.answer(canary.jpeg(1), count=3)).similar
    shown = {each for each in free if answer_of(own.picture(each))}
    assert shown == {each.photo_id for each in named} & free.keys()
    assert shown
    shutil.move(root, tmp_path / "aside")
    with pytest.raises(FruitLakeError):
        answer_of(own.picture(shown.pop()))


def test_the_photos_that_answers_have_named_are_bounded(monkeypatch):
    monkeypatch.setattr(question_queue, "NAMED", 3)
    named = NamedPhotos()
    named.add("abc")
    named.add("a")
    named.add("d")
    assert [each for each in "abcd" if each in named] == ["a", "c", "d"]
