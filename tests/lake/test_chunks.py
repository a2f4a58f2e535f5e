"""States and order of chunks, without Spark."""

from datetime import UTC, datetime, timedelta

import pytest

from lake.chunks import Chunk, ChunkState, latest, not_yet_taken

START = datetime(2026, 1, 1, tzinfo=UTC)


def chunk(number, layer="silver", state=ChunkState.PUBLISHED, **other):
    other.setdefault("photos", 1)
    if layer != "bronze":
        other.setdefault("weights_id", "m")
    elif state is ChunkState.PUBLISHED:
        other.setdefault("versions", {"bronze/objects": 1})
    return Chunk(number=number, layer=layer, state=state, **other)


def row(number, state, *, entry):
    return {
        "chunk": number,
        "layer": "bronze",
        "state": state,
        "weights_id": None,
        "model_version": None,
        "source_from": None,
        "source_to": None,
        "photos": 3,
        "bytes": 10,
        "versions": None,
        "at": START - timedelta(minutes=entry),  # clocks may go any way
        "entry": entry,
    }


def test_the_latest_state_counts_whatever_the_order_of_rows():
    rows = [
        row(1, "published", entry=2),
        row(1, "planned", entry=0),
        row(2, "planned", entry=0),
    ]
    found = latest(rows)
    assert {n: c.state for n, c in found.items()} == {
        1: ChunkState.PUBLISHED,
        2: ChunkState.PLANNED,
    }


@pytest.mark.parametrize("state", [ChunkState.PUBLISHED, ChunkState.JUDGED, ChunkState.BLOCKED])
def test_a_bronze_chunk_is_published_before_it_is_judged(state):
    held = chunk(1, layer="bronze", state=state, versions={"bronze/objects": 1})
    assert held.is_published
    assert not held.is_unfinished


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], [1, 2]),
        ([chunk(3, source_from=1, source_to=1)], [2]),
        ([chunk(3, source_from=1, source_to=1, state=ChunkState.STAGED)], [2]),
        ([chunk(3, source_from=1, source_to=1, state=ChunkState.BLOCKED)], [2]),
        ([chunk(3, source_from=1, source_to=1, state=ChunkState.PLANNED)], [1, 2]),
        ([chunk(3, source_from=1, source_to=2)], []),
        ([chunk(3, source_from=1, source_to=2, weights_id="other")], [1, 2]),
    ],
)
def test_a_chunk_is_taken_once_a_model(taken, expected):
    bronze = [
        chunk(1, layer="bronze"),
        chunk(2, layer="bronze"),
        chunk(9, layer="bronze", photos=0),
    ]
    found = not_yet_taken([*bronze, *taken], source="bronze", layer="silver", weights_id="m")
    assert [c.number for c in found] == expected
