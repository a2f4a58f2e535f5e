"""The most similar photos: exact, whatever fits in memory, with an order that ties don't change."""

import json
import shutil
import stat

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lake import catalog
from page.similar_photos import Embeddings
from tests.support import canary

D, WEIGHTS, OTHER = 48, "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A table of five files, photos alike among them, rows of another model and a vector of zeros."""
    rng = np.random.default_rng(11)
    root = tmp_path_factory.mktemp("lake")
    vectors = rng.normal(size=(5, 700, D)).astype(np.float32)
    vectors[1, :50] = vectors[0, :50]
    vectors[2, 0] = 0
    ids = [f"{number:064x}" for number in rng.permutation(5 * 700)]
    for number, file in enumerate(vectors):
        own = ids[number * 700 : (number + 1) * 700]
        for weights_id, sign in ((WEIGHTS, 1), (OTHER, -1)):
            rows = {
                "photo_id": own,
                "label": [f"kind {int(photo, 16) % 7}" for photo in own],
                "embedding": pa.array((file * sign).tolist(), pa.list_(pa.float32())),
                "weights_id": [weights_id] * 700,
            }
            write_deltalake(
                f"{root}/{catalog.EMBEDDINGS.name}",
                pa.table(rows),
                mode="append",
                partition_by=["weights_id"],
            )
    return str(root), np.array(ids), vectors.reshape(-1, D)


def plain(ids, vectors, query, count):
    """As a definition has it, in double precision."""
    norms = np.linalg.norm(vectors.astype(float), axis=1) * np.linalg.norm(query.astype(float))
    similarities = (vectors.astype(float) @ query) / np.where(norms > 0, norms, 1)
    order = np.lexsort([ids, -similarities.round(6)])[:count]
    return ids[order].tolist(), similarities[order]


@pytest.mark.parametrize("memory", [0, 700 * D * 4 * 2 + 1, 1 << 30], ids=["none", "some", "all"])
@pytest.mark.parametrize("count", [1, 10, 4_000])
def test_they_are_those_of_the_definition(drawn, memory, count):
    root, ids, vectors = drawn
    held = Embeddings(root, WEIGHTS, version=9, memory=memory)
    for query in (vectors[7], vectors[900] * 3, np.ones(D, np.float32)):
        found = held.nearest(query, count=count)
        expected, similarities = plain(ids, vectors, query, count)
        assert np.abs(np.array([f.similarity for f in found]) - similarities).max() < 1e-6
        if count <= 10:
            assert [f.photo_id for f in found] == expected
        assert all(f.label == f"kind {int(f.photo_id, 16) % 7}" for f in found)


def test_of_photos_alike_the_lower_ids_come_first(drawn):
    root, ids, vectors = drawn
    for memory in (0, 1 << 30):
        first, second = Embeddings(root, WEIGHTS, version=9, memory=memory).nearest(
            vectors[7], count=2
        )
        assert first.similarity == second.similarity == pytest.approx(1)
        assert [first.photo_id, second.photo_id] == sorted(ids[[7, 707]].tolist())


def test_memory_bounds_what_is_kept(drawn):
    root = drawn[0]
    for memory, kept in ((0, 0), (700 * D * 4 * 2 + 1, 2), (1 << 30, 5)):
        held = Embeddings(root, WEIGHTS, version=9, memory=memory)
        assert sum(block.vectors.nbytes for block in held._kept) <= memory
        assert (len(held._kept), len(held._read)) == (kept, 5 - kept)


def test_it_is_of_the_version_that_was_named(drawn):
    root, ids, vectors = drawn
    assert Embeddings(root, WEIGHTS, version=1).nearest(vectors[800], count=1)[0].similarity < 0.9
    assert (
        Embeddings(root, WEIGHTS, version=2).nearest(vectors[800], count=1)[0].photo_id == ids[800]
    )


def test_the_average_is_that_of_all_photos(drawn):
    root, _, vectors = drawn
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    expected = float((units @ units[7]).mean())
    for memory in (0, 1 << 30):
        held = Embeddings(root, WEIGHTS, version=9, memory=memory)
        assert held.around(vectors[7], count=3).average == pytest.approx(expected, abs=1e-6)


def test_a_model_without_rows_has_none(drawn):
    assert Embeddings(drawn[0], "c" * 64, version=9).nearest(np.ones(D, np.float32), count=3) == []


@pytest.fixture
def call(samples_lake, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: command("similar", *words, "--lake", samples_lake.settings.paths.lake)


def test_the_command_finds_the_photo_itself_first(samples_lake, call):
    rows = samples_lake.lake.read(catalog.PHOTOS).where("label is not null").collect()
    photo = next(
        p for p in sorted(samples_lake.landing.rglob("label=*/*.jpg")) if p.stat().st_size > 20_000
    )
    code, shown, told = call(str(photo), "--count", "3")
    assert (code, told) == (0, "")
    lines = [line for line in shown.splitlines() if line.startswith("│")]
    assert len(lines) == 3
    _, similarity, words, label, photo_id, path, _ = map(str.strip, lines[0].split("│"))
    assert float(similarity) > 0.999
    assert words == "the same picture"
    named = {(row["photo_id"][:12], row["label"], row["path"]) for row in rows}
    assert (photo_id, label, path) in named
    assert photo == samples_lake.landing / path
    assert f"The lake has this photo, with the label {label}.\n" in shown
    assert "A similarity of 1 means the same picture; all photos of the lake have 0." in shown


def own_photos(place):
    """The photos of people, and copies of them: their rows of bronze/photos."""
    rows = place.lake.records(catalog.PHOTOS)
    originals = {row["original"] for row in rows if row["subject"]}
    return rows, [row for row in rows if row["original"] in originals]


def test_nothing_of_a_persons_photo_is_shown_but_its_label(told, command, monkeypatch, tmp_path):
    """Of the subjects' photos, and of the copy of one, neither path nor picture is in any output."""
    monkeypatch.delenv("DISPLAY", raising=False)
    rows, own = own_photos(told)
    assert {bool(row["subject"]) for row in own} == {True, False}
    (tmp_path / "a.jpg").write_bytes(canary.jpeg(0))
    words = ("similar", "a.jpg", "--count", "100", "--lake", told.settings.paths.lake)
    outputs = [command(*words, *more) for more in ((), ("--log", "json"), ("--json", "--open"))]
    assert [code for code, _, _ in outputs] == [0, 0, 0]
    sheet = (tmp_path / "similar.html").read_text()
    assert stat.S_IMODE((tmp_path / "similar.html").stat().st_mode) == 0o600
    assert f"pictures: {tmp_path}/similar.html (no browser can be opened here" in outputs[2][2]
    everything = [sheet, *(shown + err for _, shown, err in outputs)]
    for secret in {canary.MARKER, *(row["subject"] for row in own if row["subject"])}:
        assert not [text for text in everything if secret in text]
    for path in {row["path"] for row in own}:
        assert not [text for text in everything if path in text]
    similar = json.loads(outputs[2][1])["similar"]
    hidden = {row["photo_id"] for row in own}
    free = {row["photo_id"]: row["path"] for row in rows if row["photo_id"] not in hidden}
    assert {each["path"] is None for each in similar if each["photo_id"] in hidden} == {True}
    shown = [each for each in similar if each["photo_id"] in free]
    assert [each["path"] for each in shown] == [free[each["photo_id"]] for each in shown]
    assert sheet.count("data:image/jpeg;base64,") == len(shown) > 3
    assert not [each for each in shown if each["path"] in outputs[1][1]]


def test_it_says_what_the_classifier_was_trained_on(told, command, tmp_path, photo):
    code, shown, _ = command(
        "similar", str(photo), "--count", "3", "--json", "--lake", told.settings.paths.lake
    )
    answer = json.loads(shown)
    assert (code, answer["label"], answer["trained_on"]) == (0, photo.parent.name[6:], True)
    assert [each["trained_on"] for each in answer["similar"]] == [True] * 3
    (tmp_path / "a.jpg").write_bytes(canary.jpeg(77))
    _, shown, _ = command(
        "similar", "a.jpg", "--json", "--lake", told.settings.paths.lake, "--count", "1"
    )
    assert (json.loads(shown)["label"], json.loads(shown)["trained_on"]) == (None, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["notes.txt"],
            "notes.txt can't be used: not_a_photo (no JPEG, PNG, WebP, HEIC or AVIF signature)",
        ),
        (["nowhere.jpg"], "nowhere.jpg can't be used: can't be read (No such file or directory)"),
        (["notes.txt", "--count", "0"], "0 is no number of photos; give a whole number above 0."),
        (["notes.txt", "--extractor", "resnet50", "--weights", "random:3"], "has no resnet50 with"),
        ([], "similar needs PHOTO (the file of a photo)"),
        (["."], ". is a folder: name one photo in it."),
    ],
)
def test_what_can_not_be_is_one_sentence(call, tmp_path, words, said):
    (tmp_path / "notes.txt").write_text("no photo")
    code, shown, told = call(*words)
    assert (code, shown) == (2, "")
    assert said in told
    assert told.count("\n") == 1


def test_a_lake_without_photos_says_which_models_it_lacks(empty_lake, command, tmp_path):
    shutil.copy(__file__, tmp_path / "a.jpg")
    code, _, told = command("similar", "a.jpg", "--lake", empty_lake.settings.paths.lake)
    assert code == 2
    assert "its extractors are none" in told
