"""Clients that are silent, slow, or too many: each ends or gives way, and who sends is answered meanwhile.

The server is real, and so are the connections; only the limits are short.
"""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import ClassVar

import httpx
import pytest
from fastapi import HTTPException

from page import connections, question_queue, server
from page.client_limits import ClientLimits
from page.photo_arrivals import PhotoArrivals
from page.question_queue import QuestionQueue
from page.refusals import refusal
from tests.support import canary
from tests.support.page_server import golden_lake, served_from

SHORT = ClientLimits(
    head_seconds=0.4,
    silent_seconds=0.8,
    photo_seconds=0.9,
    photo_rate=1_000,
    window_seconds=0.8,
    window_bytes=500,
    grace_seconds=0.1,
)
PATIENT = replace(SHORT, head_seconds=60, silent_seconds=60, photo_seconds=60, window_seconds=60)
PHOTO = canary.jpeg(1)
GET = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"


def head(*lines):
    """The head of a photo that is sent."""
    first = ("POST /api/photos HTTP/1.1", "Host: localhost", "Content-Type: image/jpeg")
    return "\r\n".join((*first, *lines, "", "")).encode()


def length(number):
    return head(f"Content-Length: {number}")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return golden_lake(tmp_path_factory.mktemp("golden"), "photos.max_bytes=300_000")


@pytest.fixture
def serve(lake):
    """Starts servers over the lake, and ends them."""
    with ExitStack() as stack:

        def start(limits=SHORT, **more):
            return stack.enter_context(served_from(QuestionQueue(*lake), limits=limits, **more))

        yield start


def until(true, *, seconds=3.0):
    """Waits until something is true; whether it became so."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def is_ended(line):
    """Whether the server ends a connection, without a word, within its socket's time."""
    try:
        return line.recv(1) == b""
    except ConnectionError:
        return True


def drips_in_vain(line, content):
    """Whether the server ends a connection on which bytes come one by one, before they have come."""
    try:
        for byte in content:
            line.sendall(bytes([byte]))
            time.sleep(0.05)
    except ConnectionError:
        return True
    return False


def answer(line):
    """The status and the body of an answer with a length."""
    told = b""
    while b"\r\n\r\n" not in told:
        told += line.recv(65536) or pytest.fail(f"the connection ended after {told!r}")
    headers, _, body = told.partition(b"\r\n\r\n")
    [size] = [
        int(each.split(b":")[1])
        for each in headers.split(b"\r\n")
        if each.startswith(b"content-length")
    ]
    while len(body) < size:
        body += line.recv(65536)
    return int(headers.split()[1]), body


def refused(line):
    """The status and the sentence of a refusal."""
    status, body = answer(line)
    return status, json.loads(body)["detail"]


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nHost: local", GET],
    ids=["nothing", "half a head", "an answer"],
)
def test_a_connection_without_a_request_ends_within_seconds(serve, sent):
    server = serve()
    started = time.monotonic()
    with server.connect(sent) as line:
        if sent == GET:
            assert answer(line)[0] == 200
        assert is_ended(line)
    assert time.monotonic() - started < 5
    assert until(lambda: server.connections == 0)


def test_a_head_that_comes_byte_by_byte_is_not_waited_for(serve):
    server = serve()
    with server.connect() as line:
        started = time.monotonic()
        assert drips_in_vain(line, GET)
    assert time.monotonic() - started < 5
    assert until(lambda: server.connections == 0)


def test_silent_connections_block_nobody(serve):
    server = serve(PATIENT)
    with ExitStack() as held:
        lines = [held.enter_context(server.connect()) for _ in range(PATIENT.connections + 20)]
        assert httpx.get(f"http://127.0.0.1:{server.port}/", timeout=10).status_code == 200
        assert until(lambda: server.connections <= PATIENT.connections)
        # The ones that waited for the longest have made room, and no others.
        assert is_ended(lines[0])
        lines[-1].sendall(GET)
        assert answer(lines[-1])[0] == 200


def test_the_silent_make_room_and_not_those_with_a_request(serve):
    server = serve(replace(PATIENT, connections=2))
    with server.connect(length(len(PHOTO))) as first, ExitStack() as held:
        for _ in range(6):
            held.enter_context(server.connect())
        assert until(lambda: server.connections == 3)
        first.sendall(PHOTO)
        assert answer(first)[0] == 200


def test_where_all_have_requests_one_more_is_refused_until_there_is_room(serve):
    server = serve(replace(PATIENT, connections=2))
    with server.connect(length(10)) as first, server.connect(length(10)):
        assert until(lambda: server.connections == 2)
        with server.connect(GET) as line:
            status, said = refused(line)
            assert (status, said) == (
                503,
                "Too many requests are in work; try again in a second.",
            )
            first.close()
            assert until(lambda: server.connections == 2)
            line.sendall(GET)
            assert answer(line)[0] == 200


def test_an_address_has_its_own_bound(serve, monkeypatch):
    """All addresses of this machine are counted here as if they were others'."""
    monkeypatch.setattr(connections, "client_key", lambda host: host)
    server = serve(replace(PATIENT, connections=6, connections_of_address=2), host="0.0.0.0")
    with ExitStack() as held:
        for number in (1, 2):
            held.enter_context(server.connect(length(10), source="127.0.0.7"))
            assert until(lambda number=number: len(server.running.server_state.tasks) == number)
        for _ in range(2):
            same = held.enter_context(server.connect(GET, source="127.0.0.7"))
            assert refused(same)[0] == 503
        for _ in range(4):
            held.enter_context(server.connect(source="127.0.0.7"))
        assert until(lambda: server.connections == 4)
        other = held.enter_context(server.connect(GET, source="127.0.0.8"))
        assert answer(other)[0] == 200


def test_an_address_with_too_many_silent_ends_its_own(serve, monkeypatch):
    monkeypatch.setattr(connections, "client_key", lambda host: host)
    limits = replace(PATIENT, connections=3, connections_of_address=2)
    server = serve(limits, host="0.0.0.0")
    with server.connect(source="127.0.0.8") as other, ExitStack() as held:
        assert until(lambda: server.connections == 1)
        for _ in range(5):
            held.enter_context(server.connect(source="127.0.0.7"))
            time.sleep(0.1)
        assert until(lambda: server.connections == 3)
        other.sendall(GET)
        assert answer(other)[0] == 200


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
    ],
)
def test_clients_are_told_apart_by_address_and_network(host, key):
    assert connections.client_key(host) == key


def test_two_machines_of_one_link_are_two_clients():
    """An address of a link has no network of its own."""
    one, other = map(connections.client_key, ("fe80::1%eth0", "fe80::2%eth0"))
    assert one != other


def test_a_photo_may_come_slowly_but_not_in_silence(serve):
    server = serve()
    with server.connect(length(len(PHOTO))) as line:
        started = time.monotonic()
        for at in range(0, len(PHOTO), 500):
            line.sendall(PHOTO[at : at + 500])
            time.sleep(0.2)
        assert time.monotonic() - started > 2 * SHORT.photo_seconds
        assert answer(line)[0] == 200
        line.sendall(length(1000) + b"some")
        assert refused(line) == (
            408,
            "The photo stopped coming for 0.8 seconds; send it again.",
        )


def test_a_photo_in_chunks_is_answered(serve):
    parts = [PHOTO[at : at + 700] for at in range(0, len(PHOTO), 700)]
    chunks = [f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts]
    with serve().connect(head("Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n") as line:
        assert answer(line)[0] == 200


@pytest.mark.parametrize("kind", ["with a length", "in chunks"])
def test_a_photo_that_drips_is_not_waited_for(serve, kind):
    server = serve()
    begin = length(1000) if kind == "with a length" else head("Transfer-Encoding: chunked")
    drop = b"x" if kind == "with a length" else b"1\r\nx\r\n"
    with server.connect(begin) as line:
        started = time.monotonic()
        for _ in range(12):
            line.sendall(drop)
            time.sleep(0.1)
        assert refused(line) == (
            408,
            "The photo came too slowly, with less than 1,000 bytes a second; send it again.",
        )
        assert time.monotonic() - started < 5


class Clock(asyncio.SelectorEventLoop):
    """A loop whose time goes on by itself, as fast as nothing is to do."""

    now = 0.0

    def time(self):
        return self.now

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0].when())
        super()._run_once()


def sent_slowly(parts, limits=server.LIMITS):
    """The bytes that arrive of those that a client sends, each after so many seconds, and the seconds from
    the first to the end. The status and the sentence stand for a photo that is given up."""

    class Sent:
        headers: ClassVar = {"content-type": "image/jpeg"}

        async def stream(self):
            for seconds, size in parts:
                await asyncio.sleep(seconds)
                yield bytes(size)

    async def arrive():
        try:
            found = len(await PhotoArrivals(limits, max_bytes=50_000_000).receive(Sent()))
        except HTTPException as refused:
            found = refused.status_code, refused.detail
        return found, asyncio.get_running_loop().time()

    def in_own_loop():
        with asyncio.Runner(loop_factory=Clock) as runner:
            return runner.run(arrive())

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests has a loop in this one
        return thread.submit(in_own_loop).result()


SILENT = (408, "The photo stopped coming for 20 seconds; send it again.")
TOO_SLOW = (
    408,
    "The photo came too slowly, with less than 4,000 bytes a second; send it again.",
)


@pytest.mark.parametrize(
    ("parts", "expected", "seconds"),
    [
        ([(1, 30_000)] * 1_600, 48_000_000, 1_600),
        ([(0.1, 420)] * 100_000, 42_000_000, 10_000),
        ([(1, 30_000), (19, 60_000)] * 100, 9_000_000, 2_000),
        ([(1, 30_000), (21, 30_000)], SILENT, 21),
        ([(0, 0), (21, 30_000)], SILENT, 20),
        ([(1, 30_000), *[(10, 0)] * 9], SILENT, 21),
        ([(1, 1)] * 600, TOO_SLOW, 60),
        ([(1, 3_000)] * 10_000, TOO_SLOW, 237),
        # Whoever has sent much at once doesn't hold its memory for hours with a byte now and then.
        ([(1, 40_000_000), *[(1, 1)] * 600], TOO_SLOW, 61),
    ],
    ids=[
        "a phone",
        "a poor line",
        "pauses",
        "a stop",
        "nothing",
        "no bytes",
        "a byte a second",
        "too slow",
        "much, then drops",
    ],
)
def test_a_photo_may_take_hours_but_no_pause_and_no_drip_is_waited_for(parts, expected, seconds):
    found, taken = sent_slowly(parts)
    assert found == expected
    assert taken == pytest.approx(seconds, rel=0.01)


def test_the_rest_of_a_refused_body_is_not_waited_for(serve):
    server = serve()
    with server.connect(length(10**9)) as line:
        assert refused(line)[0] == 413
        assert drips_in_vain(line, b"x" * 40)
    assert until(lambda: server.connections == 0)


@pytest.mark.parametrize("size", [1, 120_000])
def test_slow_photos_keep_no_place_from_one_that_has_come(serve, size):
    """They are more than there are places, or more bytes than may be in memory."""
    server = serve(replace(PATIENT, arriving_photos=2))
    with ExitStack() as held:
        lines = [
            held.enter_context(server.connect(length(200_000), bytes(size))) for _ in range(10)
        ]
        time.sleep(2 * PATIENT.grace_seconds)
        for line in lines:
            line.sendall(b"x")
        with server.connect(length(len(PHOTO)), PHOTO) as line:
            assert answer(line)[0] == 200


def test_the_slowest_photo_makes_room_for_others(serve):
    server = serve(replace(PATIENT, arrivals=2))
    with (
        server.connect(length(5_000), b"x") as slowest,
        server.connect(length(len(PHOTO)), PHOTO[:3_000]) as faster,
    ):
        time.sleep(2 * PATIENT.grace_seconds)
        with server.connect(length(len(PHOTO)), PHOTO) as line:
            assert answer(line)[0] == 200
        status, said = refused(slowest)
        assert (status, said.startswith("Too many photos arrive at once")) == (503, True)
        faster.sendall(PHOTO[3_000:])
        assert answer(faster)[0] == 200


def test_one_that_has_just_begun_makes_no_room(serve):
    server = serve(replace(PATIENT, arrivals=1, grace_seconds=60))
    with server.connect(length(len(PHOTO)), PHOTO[:100]) as first:
        time.sleep(0.2)
        with server.connect(length(len(PHOTO)), PHOTO) as line:
            assert refused(line)[0] == 503
        first.sendall(PHOTO[100:])
        assert answer(first)[0] == 200


def test_memory_of_photos_on_their_way_is_bounded(serve, monkeypatch):
    most = []
    grown = PhotoArrivals._make_room

    def seen(self, arrival, size):
        grown(self, arrival, size)
        most.append(sum(len(each.content) for each in self._all) + size)

    monkeypatch.setattr(PhotoArrivals, "_make_room", seen)
    server = serve(replace(PATIENT, arriving_photos=2))
    with ExitStack() as held:
        for _ in range(8):
            held.enter_context(server.connect(length(250_000), bytes(249_000)))
            time.sleep(0.15)
        assert until(lambda: sum(each > 250_000 for each in most) > 0)
    assert 490_000 < max(most) <= 600_000


def test_who_does_not_read_the_answer_loses_the_connection(serve):
    server = serve(buffer=4096)
    with server.connect(buffer=4096) as line:
        line.settimeout(0.2)
        with suppress(TimeoutError, ConnectionError):  # nothing is taken any more
            line.sendall(GET * 100_000)
        assert until(lambda: server.connections == 0)


def test_a_request_behind_a_refusal_that_is_not_read_is_not_waited_for(serve, monkeypatch):
    """A refusal is written at once, so that its last bytes may be the ones that nobody takes."""
    large = refusal(503, "x" * 500_000)
    monkeypatch.setattr(connections.ClientConnection, "_refusing", lambda self: large)
    server = serve(buffer=4096)
    with server.connect(GET * 2, buffer=4096):
        assert until(lambda: server.connections == 1)
        assert until(lambda: server.connections == 0, seconds=5)


def test_who_reads_an_answer_slowly_gets_the_whole_of_it(serve):
    server = serve(replace(SHORT, window_bytes=100), buffer=4096)
    asked = 200
    with server.connect(GET * asked, buffer=4096) as line:
        one = b""
        while b"\r\n\r\n" not in one:
            one += line.recv(1)
        size = len(one) + int(one.split(b"content-length: ")[1].split(b"\r\n")[0])
        got, started = len(one), time.monotonic()
        while got < asked * size:
            # For two windows and more it reads slowly, so that what was written is not taken at once.
            is_slow = time.monotonic() - started < 2
            part = line.recv(2_000 if is_slow else 1 << 20)
            assert part, f"ended after {got:,} of {asked * size:,} bytes"
            got += len(part)
            time.sleep(0.06 if is_slow else 0)
        assert got == asked * size


def test_who_still_reads_is_the_last_to_make_room(serve):
    server = serve(replace(PATIENT, connections=2), buffer=4096)
    with server.connect(GET * 100, buffer=4096) as reader, ExitStack() as held:
        made = server.running.server_state.connections
        assert until(lambda: any(each.flow and each.flow.write_paused for each in list(made)))
        for _ in range(5):
            held.enter_context(server.connect())
        assert until(lambda: server.connections == 2)
        told = b""
        while told.count(b"HTTP/1.1 200") < 100:
            told += reader.recv(1 << 20) or pytest.fail(f"ended after {len(told):,} bytes")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000, 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (head("Content-Length: " + "9" * 5_000), 400),
        (b"\x16\x03\x01\x02\x00 a handshake of TLS\r\n\r\n", 400),
        (head("Transfer-Encoding: chunked") + b"zzz\r\n", 400),
    ],
    ids=["huge", "without a host", "a length of 5,000 digits", "TLS", "no chunk"],
)
def test_what_is_no_request_is_refused_and_ends(serve, sent, status):
    server = serve()
    with server.connect() as line:
        told = b""
        try:
            line.sendall(sent)
            told = line.recv(4096)
        except ConnectionError:
            pass
        assert not told or told.startswith(f"HTTP/1.1 {status}".encode())
    assert until(lambda: server.connections == 0)
    assert httpx.get(f"http://127.0.0.1:{server.port}/").status_code == 200


def test_photos_that_have_come_are_bounded(serve, monkeypatch):
    """Those on their way take none of these places."""
    monkeypatch.setattr(question_queue, "WAITING", 2)
    server = serve(PATIENT)
    queue = server.queue._photos
    with (
        server.connect(length(len(PHOTO)), PHOTO[:100]),
        queue.place(),
        queue.place(),
        server.connect(length(len(PHOTO)), PHOTO) as line,
    ):
        status, said = refused(line)
        assert (status, said) == (503, "Too many requests are waiting; try again in a second.")
