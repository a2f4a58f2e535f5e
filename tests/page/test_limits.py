"""What bounds the page's server: connections that end, sentences for every refusal."""

import socket
from urllib.parse import urlparse

import pytest
from delta import DeltaTable
from fastapi.testclient import TestClient

from lake import catalog
from page import server
from page.question_queue import QuestionQueue
from tests.support import canary
from tests.support.page_server import served

JPEG = {"Content-Type": "image/jpeg"}
JPEG_LINE = "Content-Type: image/jpeg\r\n"
PHOTO = canary.jpeg(1)


def sent(address, body, *, length=None):
    """A connection with a question on it."""
    place = urlparse(address)
    line = socket.create_connection((place.hostname, place.port), timeout=10)
    head = f"POST /api/photos HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{JPEG_LINE}"
    line.sendall(f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode() + body)
    return line


def whole(line):
    """What the server says until it ends the connection."""
    with line, line.makefile("rb") as stream:
        return stream.read().decode()


def test_the_first_answer_ends_its_connection(samples_lake):
    """The decoder's process is started while it is open."""
    with served(samples_lake) as address:
        assert whole(sent(address, PHOTO)).startswith("HTTP/1.1 200")


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/api/photos?count=0", "count: Input should be greater than or equal to 1; see"),
        ("POST", "/api/photos?count=many", "count: Input should be a valid integer"),
        ("GET", "/api/photos/xyz/picture", "photo_id: String should match pattern"),
    ],
)
def test_a_parameter_that_can_not_be_is_one_sentence(samples_lake, method, path, said):
    made = server.app(QuestionQueue(samples_lake.files, samples_lake.settings))
    with TestClient(made, base_url="http://localhost") as client:
        answer = client.request(method, path, headers=JPEG)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)


def test_similar_photos_of_a_lake_without_any(copied, command, tmp_path):
    DeltaTable.forPath(copied.spark, copied.files.uri(catalog.EMBEDDINGS.name)).delete()
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    code, shown, told = command("similar", "a.jpg", "--lake", copied.settings.paths.lake)
    assert (code, shown) == (2, "")
    assert "has no photos of that model yet: run python run.py --layer all." in told
    assert told.count("\n") == 1
