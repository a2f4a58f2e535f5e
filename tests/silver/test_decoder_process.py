"""A decoder that crashes or hangs costs exactly its photo, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmarks.hostile_files import hostile, worst_files, written_formats
from lake import catalog, isolated_process
from lake.enums import PixelWay, Precision
from lake.file_parts import WorkerFiles
from lake.isolated_process import AHEAD_BYTES
from lake.isolated_work import AHEAD
from lake.model_identity import ModelIdentity, file_sha256
from silver import decoder_process, embedding_files, embedding_rows, pixels, resizing
from silver.decoder_process import Decoder
from silver.embedding_files import BronzePhotos
from silver.embedding_rows import BroadcastModel
from silver.fingerprints import Fingerprint
from silver.inference_runtime import CompiledModel
from silver.pixels import Limits, RefusedPhoto
from tests.support import decoder_traps
from tests.support.decoded_photos import decoded_pixels
from tests.support.decoder_traps import (
    FAILING,
    FORGED,
    HANGING,
    KILLED,
    LEAVING,
    OUT_OF_MEMORY,
    PANICKING,
    SLOW,
)
from tests.support.photo_files import encoded
from tests.support.processes import is_running
from tests.support.small_lake import small_lake

ROOT = Path(__file__).resolve().parents[2]
SIZE = 48
LIMITS = Limits(
    50_000_000,
    100_000_000,
    min_side=16,
    blank_range=4,
    decode_seconds=30,
    decoder_memory=500_000_000,
)
IMPATIENT = replace(LIMITS, decode_seconds=0.5)
CRASHES = (KILLED, LEAVING, PANICKING)
UNSUPPORTED = b"neither JPEG, PNG, WebP, HEIC nor AVIF"

ways = pytest.mark.parametrize("way", PixelWay)
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")


def photo(seed, *, side=60, form="JPEG"):
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, form)
    return stream.getvalue()


PHOTOS = [photo(seed) for seed in range(AHEAD + 4)]
OTHERS = [photo(99, side=1100, form="PNG"), PHOTOS[0][:-300], UNSUPPORTED, b""]


@pytest.fixture
def started(monkeypatch):
    """The ids of the children that were started."""
    pids, popen = [], subprocess.Popen

    def recorded(*arguments, **options):
        child = popen(*arguments, **options)
        pids.append(child.pid)
        return child

    monkeypatch.setattr(isolated_process.subprocess, "Popen", recorded)
    return pids


@pytest.fixture
def make(started):
    """Makes decoders of photos and traps, and ends them."""
    made = []

    def of(limits=LIMITS, decode=decoder_traps.decode, way=PixelWay.HAMMING):
        made.append(Decoder(decode, size=SIZE, limits=limits, way=way))
        return made[-1]

    yield of
    for one in made:
        one.close()


def alike(photo):
    """Pixels as bytes, a refusal as its reason and detail: what can be compared and kept."""
    if isinstance(photo, RefusedPhoto):
        return photo.reason, photo.detail
    return photo.pixels.shape, photo.pixels.tobytes(), photo.fingerprint


def decoded(one, contents):
    return [alike(photo) for photo in one.decoded(contents)]


def plain(contents, way=PixelWay.HAMMING):
    """What decoding without a child gives."""
    found = []
    for content in contents:
        try:
            found.append(alike(pixels.decode(content, size=SIZE, limits=LIMITS, way=way)))
        except RefusedPhoto as refused:
            found.append(alike(refused))
    return found


def expected(contents, reason):
    """As `plain`, but for the traps, which are refused for the `reason`."""
    return [
        reason if content.startswith(b"trap") else found
        for content, found in zip(contents, plain(contents), strict=True)
    ]


def by_reason(found):
    """A trap's refusal as its reason alone."""
    return [r[0].value if str(r[0]).startswith("decoder_") else r for r in found]


def is_there(pid):
    """Whether a process is there, be it as a zombie."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.parametrize("count", [0, 1, AHEAD, AHEAD + 1, 130])
@ways
def test_pixels_and_refusals_are_those_of_plain_decoding_in_order(make, started, count, way):
    contents = ([*PHOTOS, *OTHERS] * 9)[:count]
    one = make(way=way)
    assert decoded(one, contents) == plain(contents, way)
    assert decoded(one, contents[::-1]) == plain(contents[::-1], way)
    assert len(started) == 1


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged EXIF
@ways
def test_hostile_files_give_the_pixels_and_refusals_of_plain_decoding(make, way):
    contents = [content for _, content in islice(hostile(written_formats(), seed=3), 2200)]
    assert decoded(make(way=way), contents) == plain(contents, way)


@ways
def test_a_photo_that_takes_too_much_memory_is_too_large_whatever_its_decoder_says(make, way):
    """Libraries for JPEG, PNG and WebP that get no memory say that they failed, and not why."""
    worst = worst_files(side=3000, bytes_of_zeros=1000)
    faded = Image.linear_gradient("L").resize((3000, 3000)).convert("RGBA")
    worst["png alpha"] = encoded(faded, "PNG", compress_level=1)
    names = ("webp", "webp lossless", "png transparent", "png alpha", "jpeg progressive cmyk")
    one = make(replace(LIMITS, decoder_memory=45_000_000), decoder_traps.decode_unforeseen, way)
    found = decoded(one, [content for name in names for content in (worst[name], PHOTOS[0])])
    too_large = "too_large", "needs more than 45,000,000 bytes of memory"
    assert found == [too_large, *plain(PHOTOS[:1], way)] * len(names)


@pytest.mark.parametrize("side", [300, 1001])
@pytest.mark.parametrize("mode", ["L", "1", "I;16"])
def test_grey_pixels_are_those_of_a_conversion_of_the_whole(mode, side):
    """What is resized in one band, and 16 bits in strips, is what was resized in three, and at once."""
    noise = np.random.default_rng(side).integers(0, 65536, (side, side + 7), dtype=np.uint16)
    image = Image.fromarray(noise) if mode == "I;16" else Image.fromarray(noise.astype(np.uint8))
    image = image if mode == "I;16" else image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    if mode == "I;16":
        whole = Image.fromarray(((noise.astype(np.uint32) + 128) // 257).astype(np.uint8))
    else:
        whole = image
    size = (SIZE, SIZE)
    expected = whole.convert("RGB").resize(size, resizing.FILTER, None, resizing.REDUCING_GAP)
    found = decoded_pixels(stream.getvalue(), size=SIZE, limits=replace(LIMITS, blank_range=0))
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_a_photo_of_several_megabytes_that_comes_as_a_view(make):
    large = photo(7, side=1600, form="PNG")
    assert len(large) > 5_000_000
    contents = [PHOTOS[0], large, large, *PHOTOS]
    assert decoded(make(), [memoryview(content) for content in contents]) == plain(contents)


def test_a_photo_beyond_the_limit_is_too_large_and_needs_no_room(make):
    limits = replace(LIMITS, max_bytes=AHEAD_BYTES + 1)
    contents = [bytes(AHEAD_BYTES + 2), PHOTOS[0], bytes(50_000_000), UNSUPPORTED]
    found = decoded(make(limits), contents)
    assert [found[n][0] for n in (0, 2)] == ["too_large"] * 2
    assert [found[n] for n in (1, 3)] == plain(contents)[1::2]


@pytest.mark.parametrize("form", [pa.binary(), pa.large_binary()], ids=str)
@pytest.mark.parametrize("part", [slice(0, 4), slice(1, 3), slice(2, 4), slice(0, 0)], ids=str)
def test_a_columns_values_are_seen_where_they_are(form, part):
    values = [b"one", b"", b"three", b"four"]
    column = pa.array(values, form)[part]
    assert [bytes(view) for view in embedding_rows._views(column)] == values[part]


def test_pixels_are_read_only_and_hold_until_the_next_are_asked_for(make):
    photos = make().decoded(PHOTOS * 4, has_own_core=True)
    for photo, kept in zip(photos, plain(PHOTOS * 4), strict=True):
        time.sleep(0.01)  # the child goes on meanwhile
        assert alike(photo) == kept
        assert not photo.pixels.flags.writeable


PLACES = {
    "first": lambda trap: [trap, *PHOTOS],
    "middle": lambda trap: [*PHOTOS[:5], trap, *PHOTOS[5:]],
    "last": lambda trap: [*PHOTOS, trap],
    "last that is handed over": lambda trap: [*PHOTOS[: AHEAD - 1], trap, *PHOTOS[AHEAD:]],
    "two in a row": lambda trap: [*PHOTOS[:3], trap, trap, *PHOTOS[3:]],
    "all": lambda trap: [trap] * 3,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("trap", CRASHES)
def test_a_crash_costs_exactly_its_photo(make, started, trap, place):
    contents = PLACES[place](trap)
    one = make()
    assert by_reason(decoded(one, contents)) == expected(contents, "decoder_crashed")
    assert decoded(one, PHOTOS) == plain(PHOTOS)
    assert len(started) == 1 + 2 * contents.count(trap), "each trap gets a second try"


@pytest.mark.parametrize("place", PLACES)
def test_a_hang_costs_exactly_its_photo(make, place):
    contents = PLACES[place](HANGING)
    one = make(IMPATIENT)
    assert by_reason(decoded(one, contents)) == expected(contents, "decoder_timeout")
    assert decoded(one, PHOTOS) == plain(PHOTOS)


@pytest.mark.parametrize(
    ("trap", "detail"),
    [
        (KILLED, "its process died: Killed"),
        (LEAVING, "its process died: exit code 0"),
        (PANICKING, "its process died: exit code 1"),
        (FAILING, "KeyError"),
        (OUT_OF_MEMORY, "needs more than 500,000,000 bytes of memory"),
        (HANGING, "not done within 0.5 seconds"),
    ],
)
def test_the_detail_says_what_happened_and_nothing_of_the_photo(make, trap, detail):
    [refused] = make(IMPATIENT).decoded([trap])
    assert refused.detail == detail


@pytest.mark.parametrize(
    ("trap", "reason"), [(FAILING, "decoder_crashed"), (OUT_OF_MEMORY, "too_large")]
)
def test_an_unexpected_exception_costs_its_photo_and_no_child(make, started, trap, reason):
    contents = [*PHOTOS[:3], trap, *PHOTOS[3:]]
    found = decoded(make(), contents)
    assert found[3][0] == reason
    assert found[:3] + found[4:] == plain(PHOTOS)
    assert len(started) == 1


@pytest.mark.parametrize("trap", FORGED)
def test_an_answer_that_no_photo_gives_costs_its_photo_and_the_child(make, started, trap):
    one = make(decode=decoder_traps.decode_forged)
    before, refused, after = one.decoded([b"any", trap, b"any"])
    assert refused.detail == "its process gave an answer that makes no sense"
    assert refused.reason == "decoder_crashed"
    assert alike(before) == alike(after)
    assert len(started) == 3


def test_a_slow_parent_makes_no_late_photo(make):
    one = make(IMPATIENT)
    found = []
    for row, photo in enumerate(one.decoded(PHOTOS, has_own_core=True)):
        found.append(alike(photo))
        if row in (0, AHEAD - 2, AHEAD - 1):
            time.sleep(0.8)
    assert found == plain(PHOTOS)


def test_the_limit_is_for_each_photo_and_not_for_several(make):
    contents = [SLOW] * 4
    assert decoded(make(replace(LIMITS, decode_seconds=3 * decoder_traps.NAP)), contents) == plain(
        contents
    )


def taken_from(photos, number):
    """As many photos as `number` are used, and no more."""
    with closing(photos):
        for _ in range(number):
            next(photos)


@pytest.mark.parametrize("number", [1, AHEAD])
def test_a_generator_that_is_closed_early_leaves_no_child_at_work(make, started, number):
    one = make()
    taken_from(one.decoded([*PHOTOS[:AHEAD], HANGING], has_own_core=True), number)
    assert not any(is_there(pid) for pid in started)
    assert decoded(one, PHOTOS) == plain(PHOTOS)


@pytest.mark.parametrize("number", [1, AHEAD])
def test_a_child_that_takes_turns_has_no_work_while_its_photos_are_used(make, started, number):
    one = make()
    taken_from(one.decoded([*PHOTOS[:AHEAD], HANGING]), number)
    assert decoded(one, PHOTOS) == plain(PHOTOS)
    assert len(started) == 1


def test_children_that_failed_are_reaped(make, started):
    one = make(IMPATIENT)
    decoded(one, [KILLED, LEAVING, HANGING, PHOTOS[0]])
    assert [is_there(pid) for pid in started] == [False] * 6 + [True]
    one.close()
    assert not any(is_there(pid) for pid in started)


@pytest.mark.parametrize("contents", [PHOTOS, OTHERS], ids=["small", "large first"])
def test_a_child_that_is_killed_without_work_costs_no_photo(make, started, contents):
    one = make()
    decoded(one, PHOTOS)
    os.kill(started[0], signal.SIGKILL)
    os.waitid(os.P_PID, started[0], os.WEXITED | os.WNOWAIT)
    assert decoded(one, contents) == plain(contents)
    assert len(started) == 2


@linux
def test_no_file_descriptor_is_left_open(make):
    one = make()
    before = len(os.listdir("/proc/self/fd"))
    for batch in range(50):
        decoded(one, [*PHOTOS[:2], KILLED] if batch % 5 == 0 else PHOTOS[:2])
    assert len(os.listdir("/proc/self/fd")) == before


@linux
def test_the_child_is_the_first_that_goes_where_memory_runs_out(make, started):
    decoded(make(), PHOTOS)
    assert Path(f"/proc/{started[0]}/oom_score_adj").read_text().strip() == "1000"


def test_a_process_keeps_one_decoder(started, monkeypatch):
    monkeypatch.setattr(isolated_process, "_kept", {})
    for _ in range(2):
        decoder_process.decoder(
            decoder_traps.decode, size=SIZE, limits=LIMITS, way=PixelWay.HAMMING
        )
    assert len(started) == 1
    other = decoder_process.decoder(
        decoder_traps.decode, size=SIZE, limits=IMPATIENT, way=PixelWay.HAMMING
    )
    assert [is_there(pid) for pid in started] == [False, True]
    other.close()


BEGINNING = """
import atexit, os, sys, time
from lake.enums import PixelWay
from silver.decoder_process import Decoder
from silver.pixels import Limits
from tests.support import decoder_traps
limits = Limits(
    50_000_000, 20_000_000, min_side=16, blank_range=4, decode_seconds=60, decoder_memory=500_000_000
)
way = PixelWay.HAMMING
"""

TRAPPED = """
atexit.register(print, "left")
print("once")
decoder = Decoder(decoder_traps.decode, size=48, limits=limits, way=way)
print(*[refused.reason for refused in decoder.decoded([b"trap: leaving", b"trap: killed"])])
"""

HUNG = """
decoder = Decoder(decoder_traps.decode, size=48, limits=limits, way=way)
print(decoder._process._child.process.pid, flush=True)
list(decoder.decoded([b"trap: hanging"]))
"""

IDLE = """
print(Decoder(decoder_traps.decode, size=48, limits=limits, way=way)._process._child.process.pid, flush=True)
time.sleep(600)
"""


def running(script):
    """A process of its own that runs the script."""
    return subprocess.Popen(
        [sys.executable, "-c", BEGINNING + script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_a_child_leaves_its_parents_output_and_exit_handlers_alone():
    with running(TRAPPED) as parent:
        lines = parent.stdout.read().splitlines()
    assert lines == ["once", "decoder_crashed decoder_crashed", "left"]


@linux
@pytest.mark.parametrize("script", [HUNG, IDLE], ids=["hung", "idle"])
def test_a_child_dies_with_its_parent(script):
    with running(script) as parent:
        child = int(parent.stdout.readline())
        assert is_there(child)
        parent.kill()
    until = time.monotonic() + 10
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(child)


@pytest.mark.parametrize("way", PixelWay)
def test_in_spark_a_crash_and_a_hang_cost_one_photo_each(spark, lite0, way, tmp_path):
    contents = [*PHOTOS[:4], KILLED, *PHOTOS[4:8], HANGING, UNSUPPORTED, *PHOTOS[8:]]
    facts = {"chunk": 1, "subject": "anna", "label": "kiwi", "width": 60, "height": 60}
    rows = [{"photo_id": str(n), "content": each} for n, each in enumerate(contents)]
    with small_lake(tmp_path, {catalog.PHOTOS: [row | facts for row in rows]}) as lake:
        lake.spark = spark
        found, counted = embedded_by(lake, lite0, way)
    assert (sorted(found), counted) == (list(range(len(contents))), len(contents))
    refused = {n: (row["stage"], row["reason"]) for n, row in found.items() if "reason" in row}
    assert refused == {
        contents.index(KILLED): ("decode", "decoder_crashed"),
        contents.index(HANGING): ("decode", "decoder_timeout"),
        contents.index(UNSUPPORTED): ("decode", "unsupported"),
    }
    extractor = CompiledModel(lite0.flatbuffer)
    for n in found.keys() - refused.keys():
        rgb = decoded_pixels(contents[n], size=extractor.size, limits=LIMITS, way=way)
        np.testing.assert_array_equal(np.float32(found[n]["embedding"]), extractor.embed(rgb))
        expected = Fingerprint.of(rgb)
        assert (found[n]["dhash"], found[n]["brightness"]) == expected[:2]
        assert found[n]["sharpness"] == pytest.approx(expected.sharpness, rel=1e-5)


def embedded_by(lake, lite0, way):
    """What workers make of bronze's chunk 1, by the number of the photo, and how many they counted."""
    extractor = CompiledModel(lite0.flatbuffer)
    limits = replace(LIMITS, decode_seconds=2)
    model = BroadcastModel(
        lite0.name,
        ModelIdentity(file_sha256(lite0.flatbuffer), Precision.FLOAT32, way),
        extractor.size,
        extractor.dimensions,
        lake.spark.sparkContext.broadcast(lite0.flatbuffer),
        limits,
        decode=decoder_traps.decode,
    )
    counted = lake.spark.sparkContext.accumulator(0)
    embedded = embedding_files.embedded(
        lake,
        BronzePhotos([1]),
        model,
        into=WorkerFiles(lake.files, "staging/new", "run", 2, datetime.now(UTC)),
        left_out=[],
        count=counted.add,
    )
    rows = [pq.read_table(f"{lake.files.root}/{file.name}") for file in embedded.files.files]
    found = [row for table in [*rows, embedded.refused] for row in table.to_pylist()]
    return {int(row["photo_id"]): row for row in found}, counted.value


def test_a_connection_ends_though_a_child_was_started_meanwhile():
    ours, theirs = socket.socketpair()
    with (
        ours,
        closing(Decoder(pixels.decode, size=SIZE, limits=LIMITS, way=PixelWay.HAMMING)) as child,
    ):
        theirs.close()
        ours.settimeout(5)
        assert ours.recv(1) == b""
        assert not isinstance(next(child.decoded(PHOTOS[:1])), RefusedPhoto)
