"""Who may ask the page: by which name, with which token, and from which machines."""

import asyncio
import socket
import time

import httpx
import pytest

import run
from conf.errors import BadInput
from page import access, server
from page.host_names import HostNames, in_address_bar, is_loopback
from page.question_queue import QuestionQueue
from tests.support import canary
from tests.support.page_server import answer_of, golden_lake, served_from

TOKEN = b"correct-horse-battery-staple"
RIGHT = {"Authorization": f"Bearer {TOKEN.decode()}"}
JPEG = {"Content-Type": "image/jpeg"}
GUARDED = ("/api/about", "/api/scatter", f"/api/photos/{'0' * 64}/picture", "/openapi.json", "/x")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return golden_lake(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def guarded(lake):
    """A server with a token, at all addresses of this machine."""
    options = {"host": "0.0.0.0", "names": ["Fruit.Example"], "token": TOKEN}
    with (
        served_from(QuestionQueue(*lake), **options) as started,
        httpx.Client(base_url=f"http://127.0.0.1:{started.port}", timeout=20) as client,
    ):
        yield client


def test_with_the_token_all_is_answered(guarded):
    for path in ("/api/about", "/api/scatter", "/openapi.json"):
        assert guarded.get(path, headers=RIGHT).status_code == 200
    asked = guarded.post("/api/photos", content=canary.jpeg(1), headers=RIGHT | JPEG)
    assert asked.status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong-token-of-some-length"},
        {"Authorization": f"Bearer {TOKEN.decode()[:-1]}"},
        {"Authorization": f"Bearer {TOKEN.decode()}x"},
        {"Authorization": f"Basic {TOKEN.decode()}"},
        {"Authorization": TOKEN.decode()},
        {"Authorization": b"Bearer \xff\xfe"},
        {"Cookie": f"token={TOKEN.decode()}"},
    ],
)
def test_without_the_token_nothing_is_answered(guarded, sent):
    for path in GUARDED:
        answer = guarded.get(path, headers=sent)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            "detail": "The server wants its token; send it in the header Authorization: Bearer TOKEN."
        }
    asked = guarded.post("/api/photos", content=canary.jpeg(1), headers=JPEG | sent)
    assert asked.status_code == 401
    assert guarded.get(f"/api/about?token={TOKEN.decode()}", headers=sent).status_code == 401


def test_the_page_that_asks_for_the_token_needs_none(guarded):
    for path in ("/", *server.FILES):
        assert guarded.get(path).status_code == 200


def test_a_token_is_compared_in_constant_time(guarded, monkeypatch):
    compared = []

    def compare(given, right):
        compared.append((given, right))
        return False

    monkeypatch.setattr(access.hmac, "compare_digest", compare)
    assert guarded.get("/api/about", headers=RIGHT).status_code == 401
    assert compared == [(TOKEN, TOKEN)]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("fruit.example", 200),
        ("FRUIT.example:8000", 200),
        ("192.168.7.7:8000", 200),
        ("[fe80::1]:8000", 200),
        ("localhost", 200),
        ("evil.example", 400),
        ("evil.example:80@localhost", 400),
        ("fruit.example.evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("[evil.example]", 400),
        ("localhost, evil.example", 400),
        ("", 400),
    ],
)
def test_another_name_that_leads_here_is_not_answered(guarded, host, status):
    for path in ("/", "/api/about"):
        answer = guarded.get(path, headers=RIGHT | {"Host": host})
        assert answer.status_code == status
        if status == 400:
            assert answer.json()["detail"].startswith("The server is not known by that name; ")


@pytest.mark.parametrize(
    ("host", "names", "asked", "is_right"),
    [
        ("127.0.0.1", [], "127.0.0.1:8000", True),
        ("127.0.0.1", [], "localhost", True),
        ("127.0.0.1", [], "[::1]", True),
        ("127.0.0.1", [], "192.168.7.7", False),
        ("127.0.0.1", ["proxy.example"], "proxy.example", True),
        ("192.168.7.7", [], "192.168.7.7", True),
        ("192.168.7.7", [], "192.168.7.8", False),
        ("192.168.7.7", [], "evil.example", False),
        ("box.example", [], "BOX.example:8000", True),
        ("[2001:db8::7]", [], "[2001:0db8:0::7]:8000", True),
        ("2001:db8::7", [], "[2001:db8::8]", False),
        ("::", [], "[2001:db8::8]", True),
        ("::", [], "10.0.0.1", True),
        ("::", [], "evil.example", False),
        ("0.0.0.0", ["[2001:db8::7]"], "[2001:db8::7]", True),
        ("127.0.0.1", [], None, False),
        ("box.example.", [], "box.example", True),
        ("box.example", [], "box.example.:8000", True),
        ("0.0.0.0", ["box.example."], "box.example", True),
        ("fe80::1%eth0", [], "[fe80::1]:8000", True),
    ],
)
def test_a_server_knows_its_names(host, names, asked, is_right):
    assert HostNames.of(host, names).has(asked) is is_right


@pytest.mark.parametrize("name", ["http://x.example", "x.example:80", "*", "a b", "", "x.example/"])
def test_what_is_no_name_is_one_sentence(name):
    with pytest.raises(BadInput, match="is no name of a machine; write it without"):
        HostNames.of("127.0.0.1", [name])


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        *(("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("[::1]", True)),
        *(("Localhost", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", False), ("::", False)),
        *(("192.168.7.7", False), ("localhost.example", False), ("127.0.0.1.example", False)),
    ],
)
def test_loopback_is_told_from_other_hosts(host, is_own):
    assert is_loopback(host) is is_own


def test_an_address_of_version_6_is_listened_on(lake):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    assert in_address_bar("::1") == in_address_bar("[::1]") == "[::1]"
    with served_from(QuestionQueue(*lake), host="[::1]") as started:
        assert httpx.get(f"http://[::1]:{started.port}/api/about").status_code == 200
    with served_from(QuestionQueue(*lake), host="::", token=TOKEN) as started:
        for host in ("[::1]", "127.0.0.1"):
            address = f"http://{host}:{started.port}/api/about"
            assert httpx.get(address, headers=RIGHT).status_code == 200
            assert httpx.get(address).status_code == 401


@pytest.fixture
def call(monkeypatch, capsys, lake, tmp_path, no_spark):
    """The command `serve`, which does not serve: its exit code, what it told, and what it would serve."""
    files, settings = lake
    monkeypatch.chdir(tmp_path)
    made = []
    monkeypatch.setattr(server, "serve", lambda queue, **words: made.append(words))
    own = ["--lake", files.root, "--extractor", "tflite", "--weights", settings.model.weights]

    def called(*words):
        code = run.main(["serve", *own, *words])
        return code, capsys.readouterr().err, made.pop() if made else None

    return called


def test_other_machines_need_a_token(call):
    for host in ("0.0.0.0", "::", "192.168.7.7", "box.example"):
        code, told, served = call("--host", host)
        assert (code, served) == (2, None)
        assert f"--host {host} lets other machines ask, so the page needs a password; name" in told
        assert told.count("\n") == 1
    assert call()[2]["token"] is None
    assert call("--host", "[::1]")[0] == 0


def test_a_token_is_read_where_it_lies(call, monkeypatch, tmp_path):
    monkeypatch.setenv("PAGE_TOKEN", TOKEN.decode())
    (tmp_path / "page.token").write_bytes(TOKEN + b"\n")
    for place in ("env:PAGE_TOKEN", "file:page.token"):
        code, told, served = call("--host", "0.0.0.0", "--token", place, "--name", "x.example")
        assert (code, told, served["token"]) == (0, "", TOKEN)
        assert served["hosts"].has("x.example")
        assert call("--token", place)[2]["token"] == TOKEN


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("env:NO_SUCH", "--token: the environment variable NO_SUCH is not set; set it."),
        ("file:nowhere", "The key file nowhere is missing; put back the one that --token names."),
        ("file:/dev/null", "/dev/null is empty; put back the one that --token names."),
        ("correct-horse-battery-staple", "write env:NAME, aws-secret:ARN or file:PATH."),
        ("env:SHORT", "--token: env:SHORT has under 16 bytes; use a longer secret."),
        ("env:SPACED", "--token: env:SPACED has a token that can't be sent; use letters"),
        ("env:ACCENTS", "--token: env:ACCENTS has a token that can't be sent; use letters"),
        ("env:RAW", "--token: env:RAW has a token that can't be sent; use letters"),
        ("file:a{b}.token", "The key file a{b}.token is missing"),
    ],
)
def test_a_token_that_can_not_be_used_is_one_sentence(call, monkeypatch, tmp_path, place, said):
    monkeypatch.setenv("SHORT", "fifteen-bytes--")
    monkeypatch.setenv("SPACED", "correct horse battery staple")
    monkeypatch.setenv("ACCENTS", "côrrect-hôrse-battery")
    monkeypatch.setenv("RAW", "correct-horse-battery-\udcff")
    code, told, served = call("--host", "0.0.0.0", "--token", place)
    assert (code, served) == (2, None)
    assert said in told
    assert "correct-horse" not in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_none_is_refused(call):
    code, told, served = call("--name", "http://x.example")
    assert (code, served) == (2, None)
    assert "--name http://x.example is no name of a machine" in told


def test_who_asks_while_the_lake_is_read_costs_nothing_more(lake):
    """And who leaves takes the answer from nobody else."""
    queue, read = QuestionQueue(*lake), []

    def slowly():
        read.append(1)
        time.sleep(0.3)
        return "the lake"

    queue._answers.snapshot = slowly

    async def ask():
        asking = [asyncio.ensure_future(queue.snapshot()) for _ in range(30)]
        await asyncio.sleep(0.1)
        for each in asking[::2]:
            each.cancel()
        return await asyncio.gather(*asking[1::2])

    assert answer_of(ask()) == ["the lake"] * 15
    assert read == [1]
    queue.close()
