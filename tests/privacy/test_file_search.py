"""Residues hidden in containers are found, a lake without any is clean, and what can't be decoded is told."""

import gzip
import io
import itertools
import json
import shutil
import struct
import tempfile
import tracemalloc
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.errors import LeftBehind
from conf.settings import Settings
from lake import catalog
from lake.enums import ErasureState
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.run_journal import Run
from lake.storage.folder import StoredObject
from lake.storage.locate import folder
from privacy.erasure import certificate, completion, containers, request_journal, verification
from privacy.erasure.file_search import FileSearch
from privacy.erasure.name_forms import NameForms
from privacy.erasure.subject_matcher import SubjectMatcher
from silver.model_files import QuantisedModel
from tests.support.certified_erasures import (
    KEY,
    journal_lake,
    no_spark,
    requested,
    take,
    verified,
)
from tests.support.hidden_text import CONTAINERS, FORMS, compressed, spark_blocks
from tests.support.named_rows import make

NAME = "Zoé O'Brien"
KEYS = Pseudonyms(b"0123456789abcdef")
PSEUDONYM = KEYS.subject(NAME)
PHOTO = "5" * 64
ZOE = SubjectMatcher(KEYS, KEYS.tombstone(PSEUDONYM), frozenset([PHOTO]), frozenset())
LINES = b"".join(b"line %d of a log about subject=bert/%d\n" % (n, n) for n in range(3000))
HIDDEN = {
    "the subject's name": f"subject={NAME}/2026/1.jpg".encode(),
    "the pseudonym": PSEUDONYM.encode(),
    "a photo id": PHOTO.encode(),
}


def zipped(*members, method=zipfile.ZIP_STORED, ending=""):
    """A ZIP of members of these contents, whose names have that end."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for number, content in enumerate(members):
            archive.writestr(f"{number}{ending}", content)
    return target.getvalue()


def search(path, *, name=None, deep=False):
    stored = StoredObject(folder(str(path.parent)), path.name, path.stat().st_size)
    return FileSearch(ZOE, NameForms(name) if name else None, deep).of(stored)


@pytest.mark.parametrize("what", HIDDEN)
@pytest.mark.parametrize("container", CONTAINERS)
def test_what_a_container_hides_is_found(tmp_path, container, what):
    path = tmp_path / "events"
    path.write_bytes(CONTAINERS[container](LINES + HIDDEN[what] + b"\n" + LINES))
    found = search(path)
    assert (found.residue, found.undecoded) == (what, [])


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_bare_name_in_a_container_is_found_where_it_is_known(tmp_path, container):
    path = tmp_path / "events"
    path.write_bytes(CONTAINERS[container](LINES + f"{NAME.upper()}'s photos\n".encode() + LINES))
    assert search(path, name=NAME).mention
    assert search(path, name=NAME).residue is None
    assert not search(path).mention


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_without_a_residue_is_clean(tmp_path, container):
    path = tmp_path / "events.zst"
    path.write_bytes(CONTAINERS[container](LINES))
    found = search(path, name=NAME)
    assert (found.residue, found.mention, found.undecoded) == (None, False, [])


@pytest.mark.parametrize("wrapped", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_members_of_a_zip_that_stores_them_are_searched(tmp_path, wrapped):
    """A model in int8 is such a file."""
    path = tmp_path / "a"
    path.write_bytes(wrapped(QuantisedModel(LINES, LINES * 30, b"").packed()))
    found = search(path, name=NAME)
    assert (found.residue, found.mention, found.undecoded) == (None, False, [])
    for what, hidden in HIDDEN.items():
        path.write_bytes(wrapped(QuantisedModel(LINES, LINES * 30 + hidden, LINES).packed()))
        found = search(path)
        assert (found.residue, found.undecoded) == (what, []), what


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4"])
def test_of_a_container_that_is_cut_off_all_that_comes_out_is_searched(tmp_path, codec):
    """A log of a killed process has whole blocks, and no end."""
    path = tmp_path / "events"
    content = HIDDEN["the subject's name"] + b"\n" + LINES * 10
    packed = gzip.compress(content) if codec == "gzip" else compressed(codec, content)
    path.write_bytes(packed[:-4])
    assert search(path).residue == "the subject's name"
    # With a name that is not there, the search goes on to the end.
    assert [each.endswith("cut off") for each in search(path, name="Nobody").undecoded] == [True]


def test_the_last_bytes_before_a_gzip_file_breaks_are_searched(tmp_path):
    path = tmp_path / "events"
    packed = gzip.compress(LINES * 3 + HIDDEN["the subject's name"] + b"\n")
    path.write_bytes(packed[:-4] + b"\xff" * 4)
    assert search(path).residue == "the subject's name"


@pytest.mark.parametrize("zeros", [0, 1, 2**16 - 1, 2**16, 2**17, 300_001])
@pytest.mark.parametrize("behind", [b"", b"junk"])
def test_a_member_behind_zeros_is_searched_and_other_bytes_are_told(tmp_path, zeros, behind):
    path = tmp_path / "log.gz"
    hidden = behind or gzip.compress(HIDDEN["the subject's name"])
    path.write_bytes(gzip.compress(LINES) + bytes(zeros) + hidden)
    found = search(path)
    assert found.residue == (None if behind else "the subject's name")
    assert found.undecoded == (["gzip, with other bytes behind its end"] if behind else [])


@pytest.mark.parametrize("size", [100, 40_000])
def test_a_piece_of_sparks_blocks_is_searched_from_its_first_whole_block(tmp_path, size):
    path = tmp_path / "broadcast_0_piece1"
    path.write_bytes(spark_blocks(LINES + HIDDEN["the pseudonym"] + b"\n" + LINES, size=size)[50:])
    found = search(path)
    assert found.residue == "the pseudonym"
    path.write_bytes(spark_blocks(LINES, size=size)[50:-9])
    assert search(path).undecoded == ["blocks of Spark's LZ4, not all whole"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a", gzip.compress(LINES)[:-900], "gzip, cut off"),
        ("a", gzip.compress(LINES) + b"more", "gzip, with other bytes behind its end"),
        ("a", gzip.compress(LINES)[:500] + b"\xff" * 500, "gzip, broken"),
        ("a", compressed("zstd", LINES) + b"other bytes", "zstd, broken"),
        ("a", compressed("lz4", LINES) + b"other bytes", "LZ4, broken"),
        ("a", b"BZh91AY&SY" + b"x" * 9, "bzip2, which is not unpacked"),
        ("a", b"\xfd7zXZ\x00" + b"x" * 9, "xz, which is not unpacked"),
        ("a", b"PK\x03\x04" + b"x" * 9, "zip, which is not unpacked"),
        ("a", zipped(LINES, method=zipfile.ZIP_DEFLATED), "zip, which is not unpacked"),
        ("a.zip", zipped(LINES, gzip.compress(LINES)), "zip, which is not unpacked"),
        ("a", zipped(LINES, zipped(LINES)), "zip, which is not unpacked"),
        ("a", zipped(LINES, ending=".br"), "zip, which is not unpacked"),
        ("a", zipped(LINES, ending=".SNAPPY"), "zip, which is not unpacked"),
        ("a", zipped(LINES)[: -len(LINES)], "zip, which is not unpacked"),
        ("a", zipped(LINES)[: len(LINES) + 36], "zip, which is not unpacked"),
        ("a", zipped(LINES)[:6] + b"\x01" + zipped(LINES)[7:], "zip, which is not unpacked"),
        ("a", zipped(LINES) + gzip.compress(LINES), "zip, which is not unpacked"),
        (
            "a",
            zipped(LINES, b"x").replace(b"PK\x05\x06", b"PK\x05\x07"),
            "zip, which is not unpacked",
        ),
        (
            "a",
            zipped(LINES, b"x").replace(b"PK\x01\x02", b"PK\x01\x03"),
            "zip, which is not unpacked",
        ),
        ("a", gzip.compress(zipped(gzip.compress(LINES))), "zip, which is not unpacked"),
        ("a", b"\x82SNAPPY\x00" + b"x" * 9, "Snappy, which is not unpacked"),
        ("part.LZ4", b"\x00\x00\x10\x00" + b"x" * 9, "no container that the ending .lz4 promises"),
        ("a", gzip.compress(b"PAR1" + b"x" * 9), "Parquet in another container, or encrypted, "),
        ("a", gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x")))), "gzip in 3 other"),
    ],
    ids=itertools.count(),
)
def test_what_can_not_be_decoded_is_told(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    found = search(tmp_path / name, name=NAME)
    assert (found.residue, found.mention) == (None, False)
    assert [each.startswith(told) for each in found.undecoded] == [True], found.undecoded


@pytest.mark.parametrize("container", ["gzip", "zstd", "LZ4"])
def test_a_bomb_is_bounded_in_memory_and_told(tmp_path, monkeypatch, container):
    monkeypatch.setattr(containers, "SMALLEST_LIMIT", 1 << 20)
    monkeypatch.setattr(containers, "LARGEST_RATIO", 20)
    path = tmp_path / "bomb"
    path.write_bytes(CONTAINERS[container](bytes(100 << 20)))
    tracemalloc.start()
    found = search(path, name=NAME)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [each.endswith("unfolds to too many times its size") for each in found.undecoded] == [
        True
    ]
    assert peak < 90 << 20


def test_a_header_that_promises_a_huge_block_allocates_nothing(tmp_path):
    path = tmp_path / "blocks"
    path.write_bytes(struct.pack("<8sBIII", b"LZ4Block", 0x20, 9, 0xFFFFFFFF, 0) + b"x" * 100)
    assert search(path).undecoded == ["blocks of Spark's LZ4, not all whole"]


@pytest.mark.parametrize("block", [100, 1000])
def test_what_lies_across_two_blocks_is_found(tmp_path, monkeypatch, block):
    monkeypatch.setattr(containers, "BLOCK", block)
    for place in range(0, 200, 7):
        path = tmp_path / "log"
        path.write_bytes(gzip.compress(b"-" * place + HIDDEN["the subject's name"] + b"\n" * 300))
        assert search(path).residue == "the subject's name"


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
@pytest.mark.parametrize(
    "column",
    [
        lambda text: [None, text],
        lambda text: [["of", text]],
        lambda text: [{"of": {"whom": text}}],
        lambda text: pa.array([[("key", text)]], pa.map_(pa.string(), pa.string())),
        lambda text: pa.array([text], pa.large_string()),
        lambda text: ["other"] * 200 + [text] + ["other"] * 200,
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_name_in_a_column_with_text_is_found(tmp_path, column, codec, deep):
    path = tmp_path / "part-of-no-version.parquet"
    text = HIDDEN["the subject's name"].decode()
    pq.write_table(pa.table({"note": column(text)}), path, compression=codec)
    assert search(path, deep=deep).residue == "the subject's name"
    pq.write_table(pa.table({"note": column(f"by {NAME}")}), path, compression=codec)
    assert search(path, name=NAME, deep=deep).mention
    pq.write_table(pa.table({"note": column("by bert, subject=bert")}), path, compression=codec)
    found = search(path, name=NAME, deep=deep)
    assert (found.residue, found.mention, found.undecoded) == (None, False, [])


def test_a_name_in_a_parquet_files_metadata_is_found(tmp_path):
    path = tmp_path / "part"
    table = pa.table({"n": [1]}).replace_schema_metadata({"by": HIDDEN["the subject's name"]})
    pq.write_table(table, path)
    assert search(path).residue == "the subject's name"


def test_text_that_is_no_utf_8_is_searched_too(tmp_path):
    path = tmp_path / "part"
    content = f"subject={NAME}/".encode("latin-1")
    text = pa.array([content], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"note": text}), path)
    assert search(path).residue == "the subject's name"


def test_a_column_that_unfolds_too_far_can_not_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr("privacy.erasure.file_search.LARGEST_COLUMN", 1000)
    path = tmp_path / "part"
    pq.write_table(pa.table({"note": [str(n) for n in range(1000)]}), path)
    assert search(path).residue == "a Parquet file that can't be read: ArrowInvalid"


def test_a_column_that_is_not_read_may_unfold_to_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr("privacy.erasure.file_search.LARGEST_COLUMN", 1000)
    path = tmp_path / "part"
    photos = [b"photo %d" % n for n in range(1000)]
    nested = [{"note": "x", "photo": photo} for photo in photos[:1]] + [None] * 999
    pq.write_table(pa.table({"photo": photos, "about": nested}), path)
    assert search(path).residue is None
    assert search(path, deep=True).residue == "a Parquet file that can't be read: ArrowInvalid"
    nested = [{"note": str(n)} for n in range(1000)]
    pq.write_table(pa.table({"about": nested}), path)
    assert search(path).residue == "a Parquet file that can't be read: ArrowInvalid"


# A lake


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The root of a lake with every table."""
    root = tmp_path_factory.mktemp("tables") / "lake"
    make(root, ["subject=bert/1.jpg", "kiwi/2.jpg"], pseudonyms=KEYS)
    return root


@pytest.fixture
def place(tables, tmp_path, monkeypatch):
    """A folder with a lake of every table and a landing folder, without anything of Zoé, and the search for
    her in it, with her name in clear."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("temporary", "landing/subject=bert"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copytree(tables, tmp_path / "lake")
    overrides = [f"paths.landing={tmp_path / 'landing'}", f"paths.lake={tmp_path / 'lake'}"]
    settings = Settings.load("local", environment={}, overrides=overrides)
    held = Lake(no_spark, folder(str(tmp_path / "lake")), Run.begin("digest"))

    def searched(name=NAME):
        return verification.verify(held, settings, requested("zoe"), ZOE, name=name)

    return tmp_path, searched


def test_a_lake_without_residues_is_clean(place):
    _, searched = place
    found = searched()
    assert (found.residues, found.mentions, found.undecoded) == ([], [], [])
    assert found.files["lake"] > len(catalog.TABLES)
    assert searched(None).mentions is None


@pytest.mark.parametrize("where", ["docs", "bronze/photos", "staging"])
@pytest.mark.parametrize("wrapped", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_name_that_is_planted_in_a_lake_is_found_in_each_form(place, where, wrapped):
    root, searched = place
    named, bare = root / "lake" / where / "named", root / "lake" / where / "bare"
    for number, form in enumerate(FORMS.values()):
        for path, text in ((named, f"subject={NAME}/1.jpg"), (bare, f"{NAME}'s")):
            path.mkdir(parents=True, exist_ok=True)
            (path / str(number)).write_bytes(wrapped(form(text)))
    found = searched()
    assert {each.what for each in found.residues} == {"the subject's name"}
    assert {each.path for each in found.residues} == {str(path) for path in named.iterdir()}
    assert set(found.mentions) == {str(path) for path in (*named.iterdir(), *bare.iterdir())}


def test_a_name_in_the_name_of_a_file_is_found(place):
    root, searched = place
    (root / "lake" / "of Zoé O’Brien.txt").write_bytes(b"x")
    (root / "lake" / f"subject%3D{NAME}").mkdir()
    (root / "lake" / f"subject%3D{NAME}" / "x").write_bytes(b"x")
    found = searched()
    assert [each.what for each in found.residues] == ["the subject's name"]
    assert len(found.mentions) == 2


def test_the_certificate_counts_what_was_not_decoded_and_names_no_file(place, tmp_path):
    root, searched = place
    (root / "lake" / "bert.zip").write_bytes(b"PK\x03\x04")
    (root / "lake" / "carl.gz").write_bytes(gzip.compress(LINES)[:-900])
    result = searched()
    assert {each.path for each in result.undecoded} == {
        str(root / "lake" / name) for name in ("bert.zip", "carl.gz")
    }
    with journal_lake(tmp_path / "other") as lake:
        erasure = verified(lake, "one")
        certificate.write(lake, erasure, result, places={"lake": "…"}, key=KEY)
        name = certificate.file_name(erasure, is_whole=True)
        content = lake.files.read(f"{certificate.FOLDER}/{name}")
    told = json.loads(content)["verification"]
    assert told["undecoded"] == [
        {"store": "lake", "what": "gzip, cut off", "files": 1},
        {"store": "lake", "what": "zip, which is not unpacked", "files": 1},
    ]
    assert (told["name_in_clear"], told["mentions"], told["residues"]) == (True, 0, 0)
    assert b"bert" not in content


@pytest.fixture
def verified_by_erase(place, tmp_path):
    """The last step of an erasure over that lake, as the command does it."""
    root, searched = place
    (root / "lake" / "note").write_bytes(f"of {NAME}, a note".encode())

    def called(monkeypatch, *, name, is_exact):
        monkeypatch.setattr(completion, "matcher_for", lambda *_: ZOE)
        result = searched(name)
        monkeypatch.setattr(completion.verification, "verify", lambda *_, name: result)
        with journal_lake(tmp_path / "journal") as lake:
            context = SimpleNamespace(
                lake=lake, settings=None, pseudonyms=SimpleNamespace(certificates=KEY)
            )
            erasure = replace(take(lake, requested("zoe"), ErasureState.PHYSICAL), exact=is_exact)
            try:
                return completion._verify(context, erasure, name=name)
            finally:
                [erasure] = request_journal.last(lake, KEY).values()
                assert erasure.state is ErasureState.PHYSICAL
                assert erasure.mentions == (1 if name and not is_exact else 0)

    return called


def test_an_erasure_certifies_nothing_while_the_bare_name_stands_somewhere(
    verified_by_erase, monkeypatch
):
    with pytest.raises(LeftBehind, match=r"The name itself stands in 1 files: .*note\. Nobody"):
        verified_by_erase(monkeypatch, name=NAME, is_exact=False)


def test_an_erasure_of_this_spelling_alone_counts_the_bare_name(verified_by_erase, monkeypatch):
    assert len(verified_by_erase(monkeypatch, name=NAME, is_exact=True).mentions) == 1


def test_an_erasure_that_ends_later_knows_no_name(verified_by_erase, monkeypatch):
    assert verified_by_erase(monkeypatch, name=None, is_exact=False).mentions is None
