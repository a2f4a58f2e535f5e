"""Reads that go on where S3 throttled: which rows they give, and when they end."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from lake import arrow_reads, aws

SIZES = (3, 0, 1, 4)
ROWS = list(range(sum(SIZES)))
THROTTLED = OSError(f"AWS Error INTERNAL_FAILURE: {arrow_reads.NO_ROOM} (eof: 0, bad: 1)")


@pytest.fixture
def waits(monkeypatch):
    """The seconds that were waited."""
    found = []
    monkeypatch.setattr(arrow_reads.time, "sleep", found.append)
    return found


def reads(*failures):
    """Begin reads of ROWS: the first of them fails after the first number of batches, and so on. The sizes of
    the batches differ from read to read."""
    after = iter(failures)

    def begin():
        fails, first = next(after, None), 0
        sizes = SIZES if fails is None or fails % 2 else (2, 2, 2, 2)
        for number, size in enumerate(sizes):
            if number == fails:
                raise THROTTLED
            yield pa.record_batch({"n": ROWS[first : first + size]})
            first += size
        if fails is not None:
            raise THROTTLED

    return begin


@pytest.mark.parametrize(
    "failures", [(), (0,), (1,), (2,), (3,), (4,), (2, 0, 3), (3, 2, 1), (1, 4), (1, 2)]
)
def test_each_row_is_given_once_and_in_order(failures, waits):
    batches = arrow_reads.resumed(reads(*failures))
    assert [n for batch in batches for n in batch["n"].to_pylist()] == ROWS
    assert len(waits) == len(failures)


def test_waits_grow_until_rows_come_again(waits):
    list(arrow_reads.resumed(reads(0, 0, 0, 2, 0)))
    assert waits == [0.1, 0.2, 0.4, 0.1, 0.2]


def test_a_bucket_that_never_answers_ends_a_read(waits):
    with pytest.raises(OSError, match=arrow_reads.NO_ROOM):
        list(arrow_reads.resumed(reads(*[0] * 100)))
    assert len(waits) == aws.ATTEMPTS - 1

    def read():
        raise THROTTLED

    with pytest.raises(OSError, match=arrow_reads.NO_ROOM):
        arrow_reads.asked_again(read)
    assert len(waits) == 2 * (aws.ATTEMPTS - 1)


def test_another_error_is_no_reason_to_wait(waits):
    def read():
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError):
        arrow_reads.asked_again(read)
    assert waits == []


def test_nothing_else_begins_a_read_of_arrow():
    begins = re.compile(r"\.(to_table|to_reader)\(")
    root = Path(__file__).parents[2]
    rooms = (path.parent for path in root.glob("*/__init__.py") if path.parent.name != "tests")
    files = [file for room in rooms for file in room.rglob("*.py")]
    found = {file.name for file in files if begins.search(file.read_text())}
    assert found == {"arrow_reads.py"}
