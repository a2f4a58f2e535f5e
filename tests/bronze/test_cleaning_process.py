"""Files that a parser makes much of, fails on or never ends with are one refusal each, and cost little."""

from __future__ import annotations

import tracemalloc
from dataclasses import astuple, replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import islice

import pytest
from PIL import Image

from benchmarks.hostile_files import hostile, worst_files, written_formats
from bronze import cleaning_process
from bronze.cleaning_process import cleaned, cleaned_rows, taken_on
from bronze.formats.cleaning_results import NotAPhoto
from bronze.formats.metadata_removal import clean
from lake import isolated_process
from lake.enums import BRONZE
from lake.isolated_process import IsolatedProcess, ProcessLimits
from tests.support.child_probes import FalseAnswer, hanging

LIMITS = ProcessLimits(max_bytes=50_000_000, seconds=30, memory=500_000_000)
MEMORY, FIXED_MEMORY = 4, 60_000_000
"""The most bytes of memory that a parser takes for each byte of a file, and the most that it takes anyway."""


def alike(result):
    """A clean photo or a refusal as what can be compared."""
    return str(result) if isinstance(result, NotAPhoto) else astuple(result)


def plain(content):
    """What cleaning without a child gives."""
    try:
        return alike(clean(content))
    except NotAPhoto as refused:
        return alike(refused)


@pytest.fixture
def working_as(monkeypatch):
    """Has the child do other work than to clean."""

    def works(work):
        monkeypatch.setattr(isolated_process, "_kept", {})
        monkeypatch.setattr(cleaning_process, "cleaning", work)

    yield works
    for process in isolated_process._kept.values():
        process.close()


def test_the_child_cleans_and_refuses_as_the_function_does():
    contents = [content for _, content in islice(hostile(written_formats(), seed=2), 2500)]
    contents += [b"", b"\xff\xd8\xff", *map(written_formats().get, ("JPEG exif", "PNG exif"))]
    found = [alike(result) for result in cleaned(contents, LIMITS)]
    assert found == list(map(plain, contents))
    assert {type(each) for each in found} == {str, tuple}


@pytest.fixture(scope="module")
def worst():
    return worst_files(side=700, bytes_of_zeros=6_000_000)


def test_parsers_take_memory_in_proportion_to_the_file_and_few_times_its_size(worst):
    restarts = worst["jpeg of restarts"]
    more = restarts[:2] + restarts[2 : 2 + 6 * 59_000] * 9 + restarts[2:]
    for name, content in {**worst, "jpeg of very many restarts": more}.items():
        tracemalloc.start()
        plain(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MEMORY * len(content) + FIXED_MEMORY, name


@pytest.mark.parametrize("copies", [4, 7], ids=["a copy has no room", "the file has no room"])
def test_a_file_that_needs_too_much_memory_is_too_large_and_the_next_is_clean(worst, copies):
    little = replace(LIMITS, memory=30_000_000)
    contents = [worst["jpeg of zeros"] * copies, written_formats()["JPEG RGB"]]
    refused, photo = cleaned(contents, little)
    assert str(refused) == "too_large: needs more than 30,000,000 bytes of memory"
    assert alike(photo) == plain(contents[1])


@pytest.mark.parametrize(
    "text",
    [
        "a reason that is none\n",
        "\nJPEG\nwide\n1\n",
        "\nJPEG\n1\n",
        "\nJPEG\n1\n1\nJune",
        "\nJPEG\n9876543210\n1\n",
        "\nJPEG\n1\n-1\n",
    ],
)
def test_an_answer_that_says_nothing_costs_its_photo(working_as, text):
    working_as(FalseAnswer(b"d", 0, text))
    found = list(map(str, cleaned([b"x", b"y"], LIMITS)))
    assert found == ["parser_crashed: its process gave an answer that makes no sense"] * 2
    assert isolated_process._kept[BRONZE]._child is None


def test_a_segment_of_very_many_tables_is_refused(worst):
    assert plain(worst["jpeg of tables"]) == "malformed: segment DAC contradicts its own counts"


def test_a_file_that_is_never_done_is_a_timeout(working_as):
    working_as(hanging)
    found = list(cleaned([b"x"], replace(LIMITS, seconds=0.3)))
    assert list(map(str, found)) == ["parser_timeout: not done within 0.3 seconds"]


def test_bronze_keeps_one_child(monkeypatch):
    monkeypatch.setattr(isolated_process, "_kept", {})
    started = []
    monkeypatch.setattr(
        isolated_process,
        "IsolatedProcess",
        lambda *a, **k: started.append(IsolatedProcess(*a, **k)) or started[-1],
    )
    for _ in range(3):
        list(cleaned([b"x"], LIMITS))
    assert len(started) == 1
    started[0].close()


ARRIVAL = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "arrival", "expected"),
    [
        ([], ARRIVAL, None),
        (["2024-05-01"], ARRIVAL, "2024-05-01"),
        (["2026-03-05"], ARRIVAL, "2026-03-05"),
        (["2026-03-06"], ARRIVAL, None),
        (["2563-05-01"], ARRIVAL, None),
        (["9999-12-31"], ARRIVAL.replace(year=9999, month=12, day=31), "9999-12-31"),
        (["2563-05-01", "2024-05-01"], ARRIVAL, "2024-05-01"),
        (["2024-05-01", "2023-01-01"], ARRIVAL, "2024-05-01"),
        # An archive has left out the times of its files.
        (["2024-05-01"], datetime(1980, 1, 1, tzinfo=UTC), "2024-05-01"),
        (["2563-05-01"], datetime(1980, 1, 1, tzinfo=UTC), None),
        (["2024-05-01"], datetime(1990, 1, 1, tzinfo=UTC), None),
    ],
)
def test_a_day_of_the_future_is_no_capture_date(days, arrival, expected):
    found = taken_on(map(date.fromisoformat, days), uploaded_at=arrival)
    assert found == (date.fromisoformat(expected) if expected else None)


def test_a_row_has_a_capture_date_that_was_possible_when_its_object_arrived():
    """All days that a file has go from the child to the row, which knows the time of the arrival."""
    tags = Image.Exif()
    tags[0x0132] = "2024:05:01 10:11:12"
    tags.get_ifd(0x8769).update({0x9003: "2563:05:01 10:11:12", 0x9004: "2026:03:06 00:00:00"})
    stream = BytesIO()
    Image.new("RGB", (40, 40)).save(stream, "JPEG", exif=tags)
    content = stream.getvalue()
    arrivals = ARRIVAL, ARRIVAL + timedelta(days=1)
    rows = [{"content": content, "uploaded_at": arrival} for arrival in arrivals]
    found = [row["taken_on"] for row in cleaned_rows(rows, LIMITS)]
    assert found == [date(2024, 5, 1), date(2026, 3, 6)]


def test_the_day_in_the_name_of_a_file_counts_where_the_photo_says_none():
    plain, dated = BytesIO(), BytesIO()
    tags = Image.Exif()
    tags[0x0132] = "2024:05:01 10:11:12"
    Image.new("RGB", (40, 40)).save(plain, "JPEG")
    Image.new("RGB", (40, 40)).save(dated, "JPEG", exif=tags)
    named = {"taken_on": date(2024, 4, 1), "uploaded_at": ARRIVAL}
    late = {"taken_on": ARRIVAL.date() + timedelta(days=2), "uploaded_at": ARRIVAL}
    contents = (plain, named), (dated, named), (plain, late), (BytesIO(b"no photo"), named)
    rows = [{"content": each.getvalue(), **more} for each, more in contents]
    found = [row["taken_on"] for row in cleaned_rows(rows, LIMITS)]
    assert found == [date(2024, 4, 1), date(2024, 5, 1), None, None]
