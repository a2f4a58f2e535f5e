"""The page's API: answers, every bad input, and that nobody's photo and nothing sent is kept or shown."""

import io
import os
import shutil
import socket
import sys
from pathlib import Path
from urllib.parse import urlparse

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from openapi_spec_validator import validate
from PIL import Image

from gold import accuracy_figures
from lake import catalog, delta_rs_reader
from page import server
from page.predictions import Predictor
from page.question_queue import QuestionQueue
from tests.support import canary
from tests.support.page_server import served
from tests.support.place import Place

JPEG = {"Content-Type": "image/jpeg"}
UNKNOWN = "0" * 64


def client_of(place, *overrides):
    settings = place.set(*overrides).settings
    return TestClient(server.app(QuestionQueue(place.files, settings)), base_url="http://localhost")


@pytest.fixture(scope="module")
def client(told):
    with client_of(told) as client:
        yield client


@pytest.fixture
def copy(told, tmp_path, spark):
    shutil.copytree(told.root, tmp_path / "copy")
    return Place.of(tmp_path / "copy", spark)


def ask(client, content, **more):
    return client.post("/api/photos", content=content, headers=JPEG, **more)


def png(width, height, mode="L"):
    made = io.BytesIO()
    Image.new(mode, (width, height)).save(made, "PNG")
    return made.getvalue()


def test_a_photo_gets_its_kind_its_neighbours_and_its_place(told, client, photo):
    answer = ask(client, photo.read_bytes(), params={"count": 5})
    assert answer.status_code == 200
    body = answer.json()
    [predicted] = Predictor.of(told.files, told.settings).predict([str(photo)])
    assert [(k["kind"], k["confidence"]) for k in body["kinds"]] == [
        (kind, pytest.approx(share, rel=1e-5)) for kind, share in predicted.kinds[:3]
    ]
    assert (body["label"], body["trained_on"]) == (photo.parent.name.removeprefix("label="), True)
    first, *others = body["similar"]
    assert first["similarity"] == pytest.approx(1, abs=1e-5)
    assert len(others) == 4
    assert body["verdict"] == predicted.verdict
    place, features = body["place"], delta_rs_reader.rows(told.files.root, catalog.FEATURES)
    [own] = [row["features"] for row in features if row["photo_id"] == first["photo_id"]]
    assert (place["component_1"], place["component_2"]) == pytest.approx(tuple(own[:2]), abs=1e-3)
    assert 0 < place["x"] < 860
    assert 0 < place["y"] < 572


def test_a_photo_that_the_lake_does_not_have_was_not_trained_on(client):
    body = ask(client, canary.jpeg(99)).json()
    assert (body["label"], body["trained_on"]) == (None, False)


def test_about_and_scatter_are_of_the_champions(told, client):
    about = client.get("/api/about").json()
    rows = delta_rs_reader.rows(told.files.root, catalog.MODELS)
    champions = {row["kind"]: row["version"] for row in rows if row["status"] == "champion"}
    assert (about["pca"], about["classifier"]) == (champions["pca"], champions["classifier"])
    [metrics] = [dict(row["metrics"]) for row in rows if row["version"] == champions["classifier"]]
    assert about["accuracy"] == accuracy_figures.sentence(metrics)
    assert about["photos"] == delta_rs_reader.count(told.files.root, catalog.FEATURES)
    scatter = client.get("/api/scatter")
    assert scatter.headers["content-type"] == "image/svg+xml"
    assert f"Scatter of {about['photos']:,} photos" in scatter.text


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (
            b"no photo",
            422,
            "This photo can't be used: not_a_photo: no JPEG, PNG, WebP, HEIC or AVIF signature.",
        ),
        (b"", 422, "This photo can't be used: "),
        (canary.jpeg(1)[:-900], 422, "This photo can't be used: truncated"),
        (png(40, 40), 422, "This photo can't be used: blank"),
        (png(8, 8), 422, "This photo can't be used: too_small"),
        (png(20_000, 10_000, "1"), 413, "This photo can't be used: pixel_bomb"),
        (
            b"\xff\xd8\xff" + bytes(300_000),
            413,
            "A photo may have 200,000 bytes at most; send a smaller one.",
        ),
    ],
    ids=["text", "nothing", "truncated", "blank", "tiny", "200 megapixels", "too many bytes"],
)
def test_a_photo_that_can_not_be_used_is_one_sentence(told, content, status, said):
    with client_of(told, "photos.max_bytes=200_000") as client:
        answer = ask(client, content)
        assert answer.status_code == status
        assert answer.json()["detail"].startswith(said)
        assert ask(client, canary.jpeg(3)).status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "image/jpg",
        "image/pjpeg",
        "IMAGE/JPEG",
        "image/png",
        "image/x-citrix-jpeg; charset=binary",
        " Application/Octet-Stream ;name=a.jpg",
        "binary/octet-stream",
    ],
)
def test_a_photo_may_be_sent_under_any_name_of_a_picture(client, kind):
    """The photo is a JPEG, whatever the name says."""
    answer = client.post("/api/photos", content=canary.jpeg(1), headers={"Content-Type": kind})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/plain; image/jpeg",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "ximage/jpeg",
        "",
    ],
)
def test_what_is_not_sent_as_a_photo_is_not_looked_at(client, kind):
    answer = client.post("/api/photos", content=canary.jpeg(1), headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert "image/jpeg" in answer.json()["detail"]


@pytest.mark.parametrize("count", ["0", "101", "many"])
def test_a_count_out_of_range_is_refused(client, count):
    assert ask(client, canary.jpeg(1), params={"count": count}).status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/photos/../picture", 404),
        ("GET", "/api/photos/xyz/picture", 422),
        ("GET", f"/api/photos/{UNKNOWN}/picture", 204),
        ("GET", "/docs", 404),
        ("GET", "/run.py", 404),
        ("DELETE", "/api/photos", 405),
    ],
)
def test_there_is_nothing_else(client, method, path, status):
    assert client.request(method, path).status_code == status


def test_too_many_that_wait_are_sent_away(told, monkeypatch):
    own = QuestionQueue(told.files, told.settings)
    with TestClient(server.app(own), base_url="http://localhost") as client:
        monkeypatch.setattr(own._photos, "_most", 0)
        answer = ask(client, canary.jpeg(1))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_nothing_is_cached_framed_or_loaded_from_elsewhere(client):
    for path in ("/", "/page.js", "/api/about", f"/api/photos/{UNKNOWN}/picture"):
        held = client.get(path).headers
        assert held["cache-control"] == "no-store"
        assert "default-src 'none'" in held["content-security-policy"]
        assert held["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in held
    for path in ("/", *server.FILES):
        text = client.get(path).text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_openapi_describes_the_api(client):
    described = client.get("/openapi.json").json()
    validate(described)
    photos = described["paths"]["/api/photos"]["post"]
    assert set(photos["requestBody"]["content"]) == set(server.PHOTO_TYPES)
    assert {"200", "401", "408", "413", "415", "422", "503"} <= photos["responses"].keys()
    assert set(described["paths"]) == {
        "/api/about",
        "/api/scatter",
        "/api/photos",
        "/api/photos/{photo_id}/picture",
    }


writes: list[str] | None = None


def note_writes(event, arguments):
    if writes is not None and event == "open":
        path, _, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and path != os.devnull:
            writes.append(str(path))


sys.addaudithook(note_writes)


def everything(*roots):
    return {
        path: path.stat().st_mtime_ns for root in roots for path in sorted(Path(root).rglob("*"))
    }


def test_a_photo_that_is_sent_is_never_stored(told, client, tmp_path, monkeypatch):
    """Five megabytes: more than what frameworks spool to a file."""
    global writes
    rng = np.random.default_rng(5)
    sent = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (1300, 1300, 3), np.uint8)).save(sent, "PNG")
    ask(client, canary.jpeg(1))
    monkeypatch.chdir(tmp_path)
    before, writes = everything(told.root, tmp_path), []
    try:
        assert ask(client, sent.getvalue()).status_code == 200
        (tmp_path / "probe").write_text("a write that is seen")
    finally:
        seen, writes = writes, None
    assert seen == [str(tmp_path / "probe")]
    (tmp_path / "probe").unlink()
    assert everything(told.root, tmp_path) == before


def test_pictures_are_of_nobodys_photos_alone(told, client):
    rows = told.lake.records(catalog.PHOTOS, columns=["photo_id", "subject", "original"])
    somebodys = {row["original"] for row in rows if row["subject"]}
    copies = [row for row in rows if not row["subject"] and row["original"] in somebodys]
    assert len(copies) == 1
    refused = delta_rs_reader.counts(told.files.root, catalog.QUARANTINE, "photo_id")
    ask(client, canary.jpeg(1), params={"count": 100})
    seen = {True: 0, False: 0}
    for row in rows:
        if (row["photo_id"],) in refused:
            continue
        answer = client.get(f"/api/photos/{row['photo_id']}/picture")
        is_free = not row["subject"] and row["original"] not in somebodys
        seen[is_free] += 1
        assert answer.status_code == (200 if is_free else 204)
        if is_free:
            picture = Image.open(io.BytesIO(answer.content))
            assert (picture.format, picture.size, dict(picture.getexif())) == (
                "JPEG",
                (144, 144),
                {},
            )
        else:
            unknown = client.get(f"/api/photos/{UNKNOWN}/picture")
            assert answer.content == unknown.content
    assert min(seen.values()) > 3


def test_nobody_and_no_path_is_told(told, client, capfd, caplog):
    own = canary.jpeg(2)
    answers = [ask(client, own, params={"count": 100}), ask(client, canary.MARKER.encode())]
    answers += [client.get(path) for path in ("/", "/api/about", "/api/scatter", "/openapi.json")]
    photos = told.lake.read(catalog.PHOTOS).where("subject is not null").collect()
    people = [folder.name.removeprefix("subject=") for folder in told.landing.glob("subject=*")]
    said = capfd.readouterr()
    everything_told = [*(answer.text for answer in answers), said.out, said.err, caplog.text]
    assert any(photo["photo_id"] in answers[0].text for photo in photos)
    for secret in [canary.MARKER, *people, *(p[n] for p in photos for n in ("subject", "path"))]:
        assert not [text for text in everything_told if secret in text]


def test_what_leaves_the_lake_is_not_shown_any_more(copy):
    from delta import DeltaTable

    with client_of(copy) as client:
        before = ask(client, canary.jpeg(2)).json()["similar"]
        gone = before[0]["photo_id"]
        rows = copy.files.uri(catalog.EMBEDDINGS.name)
        DeltaTable.forPath(copy.spark, rows).delete(f"photo_id = '{gone}'")
        after = ask(client, canary.jpeg(2)).json()["similar"]
    assert gone not in [each["photo_id"] for each in after]
    assert after[0] == before[1]


def test_a_lake_that_vanishes_is_told_and_one_that_comes_back_is_read(copy):
    lake, aside = copy.root / "lake", copy.root / "aside"
    with client_of(copy) as client:
        first = ask(client, canary.jpeg(2))
        lake.rename(aside)
        for answer in (
            ask(client, canary.jpeg(2)),
            client.get("/api/about"),
            client.get("/api/scatter"),
        ):
            assert answer.status_code == 503
            assert answer.json()["detail"].startswith("There is no lake in ")
        named = first.json()["similar"][0]["photo_id"]
        assert client.get(f"/api/photos/{named}/picture").status_code == 503
        assert client.get("/").status_code == 200
        aside.rename(lake)
        assert ask(client, canary.jpeg(2)).json() == first.json()


def test_without_classifier_and_pca_the_rest_is_answered(copy):
    from delta import DeltaTable

    models = DeltaTable.forPath(copy.spark, copy.files.uri(catalog.MODELS.name))
    models.delete("kind <> 'extractor'")
    with client_of(copy) as client:
        answer = ask(client, canary.jpeg(2)).json()
        assert (answer["kinds"], answer["place"], answer["trained_on"]) == (None, None, None)
        assert len(answer["similar"]) == 8
        scatter = client.get("/api/scatter")
        assert scatter.status_code == 404
        assert "run.py --layer gold" in scatter.json()["detail"]


@pytest.fixture(scope="module")
def address(told):
    with served(told) as address:
        yield address


def raw(address, *parts):
    """What the server says to bytes that are sent as they are."""
    place = urlparse(address)
    with socket.create_connection((place.hostname, place.port), timeout=20) as line:
        for part in parts:
            line.sendall(part)
        told = b""
        while not told.endswith(b"}"):
            told += line.recv(4096)
        return told.decode()


def head(length):
    return (
        f"POST /api/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n{length}\r\n\r\n"
    ).encode()


def test_a_gigabyte_is_refused_before_it_is_sent(address):
    told = raw(address, head("Content-Length: 1000000000"))
    assert told.startswith("HTTP/1.1 413")
    assert "50,000,000 bytes at most" in told


def test_a_body_without_a_length_ends_where_it_is_too_large(told):
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with served(told, "photos.max_bytes=100_000") as address:
        assert raw(address, head("Transfer-Encoding: chunked"), chunk, chunk).startswith(
            "HTTP/1.1 413"
        )


def test_many_ask_at_once_and_each_has_its_answer(address):
    from concurrent.futures import ThreadPoolExecutor

    def one(seed):
        return httpx.post(f"{address}/api/photos", content=canary.jpeg(seed), headers=JPEG)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, [0, 1, 2, 3] * 3))
    assert {answer.status_code for answer in answers} == {200}
    for seed in range(4):
        same = {answer.text for answer in answers[seed::4]}
        assert len(same) == 1
        assert answers[seed].json()["similar"][0]["similarity"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "{taken}"], "127.0.0.1:{taken} can't be listened on (Address already in use)"),
        (["--port", "70000"], "127.0.0.1:70000 can't be listened on"),
        (["--port", "many"], "--port many is no number; give a whole number."),
        (["--extractor", "resnet50", "--weights", "random:3"], "has no resnet50 with the weights"),
        (["--lake", "nowhere"], "There is no lake in nowhere"),
    ],
)
def test_a_server_that_can_not_start_says_why(told, command, words, said):
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = held.getsockname()[1]
        words = [word.format(taken=taken) for word in words]
        code, _, err = command("serve", "--lake", told.settings.paths.lake, *words)
    assert code == 2
    assert said.format(taken=taken) in err
    assert err.count("\n") == 1
