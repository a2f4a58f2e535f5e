"""The shift of moments is made of embeddings. Where some leave, it moves, and tells nothing of them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gold import moments_table
from gold.embedding_removal import FOLD, FOLDED, KEYED, KEYS, RemovalChunks
from gold.moments import Moments
from lake import catalog
from lake.chunks import ChunkPlan
from lake.enums import REMOVAL
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

MODEL = "e" * 64
D = 24


def embeddings(n, *, seed=0, mean=3.0):
    """Correlated embeddings, float32[n, D], as a model makes them: not about zero."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(D, D))
    return (rng.normal(size=(n, D)) @ mix + mean).astype(np.float32)


def folded(*chunks):
    """The moments of chunks of embeddings, one after the other, about the mean of the first."""
    shift = chunks[0].astype(np.float64).mean(axis=0)
    total = Moments.none(shift)
    for chunk in chunks:
        total += Moments.of(chunk, shift)
    return total


def assert_moments_of(moments, x):
    """Check that moments about any shift are those of x, to rounding."""
    here = Moments.of(x, moments.shift)
    total = np.trace(here.gram)
    assert moments.n == len(x)
    np.testing.assert_allclose(moments.gram, here.gram, rtol=0, atol=1e-12 * total)
    np.testing.assert_allclose(moments.sum, here.sum, rtol=0, atol=1e-12 * np.sqrt(total * len(x)))


@given(st.integers(0, 9), st.floats(-5, 5), st.integers(1, 300))
def test_about_another_shift_they_are_the_moments_of_the_same_embeddings(seed, off, n):
    x = embeddings(n, seed=seed)
    held = folded(x[:1], x)  # the first is in them twice
    other = held.shift + off * np.linspace(-1, 1, D)
    assert_moments_of(held.about(other), np.concatenate([x[:1], x]))
    back = held.about(other).about(held.shift)
    total = np.trace(held.about(other).gram)
    np.testing.assert_allclose(back.gram, held.gram, rtol=0, atol=1e-12 * total)


@pytest.mark.parametrize("first", [1, 8])
def test_a_shift_tells_nothing_of_who_left(first):
    """Two histories differ in whoever came first and left: the shift after it is the same, bit for bit."""
    rest = embeddings(40, seed=1)
    others, shifts = embeddings(first - 1, seed=2), []
    for seed in (3, 4):
        gone = embeddings(1, seed=seed)
        held = folded(np.concatenate([gone, others]), rest)
        if first == 1:
            np.testing.assert_array_equal(held.shift, gone[0])
        left = (held - Moments.of(gone, held.shift)).recentred()
        assert_moments_of(left, np.concatenate([others, rest]))
        recovered = first * left.shift - others.astype(np.float64).sum(axis=0)
        assert np.abs(recovered - gone[0]).max() > 0.1
        shifts.append(left.shift)
    np.testing.assert_array_equal(*shifts)


def test_a_pca_keeps_its_digits_however_often_the_shift_moves():
    x = embeddings(3_000, seed=5, mean=100.0)
    held = folded(x[:1], x[1:])
    for each in x[:1_000]:
        held = (held - Moments.of(each[None], held.shift)).recentred()
    kept = x[1_000:].astype(np.float64)
    expected = np.cov(kept.T)
    off = np.abs(held.covariance() - expected).max()
    assert off <= 1e-11 * np.trace(expected)
    np.testing.assert_allclose(held.mean, kept.mean(axis=0), rtol=1e-13)


def test_moments_of_nothing_have_no_shift_of_anybody():
    x = embeddings(1)
    left = (folded(x) - folded(x)).recentred()
    assert left.n == 0
    assert not left.shift.any()
    assert not left.gram.any()


def rows_of(x, *, chunk):
    """Rows of silver/embeddings."""
    return [
        {"photo_id": f"{chunk}-{place:02}", "weights_id": MODEL, "embedding": vector}
        | {"chunk": chunk, "dhash": 0}
        for place, vector in enumerate(x.tolist())
    ]


FIRST, REST = embeddings(1, seed=6), embeddings(7, seed=7)
"""A chunk of one photo, and a chunk of the other seven."""


@pytest.fixture
def lake(tmp_path):
    """A lake with the embeddings and moments of a photo, and then of seven others."""
    rows = [*rows_of(FIRST, chunk=2), *rows_of(REST, chunk=4)]
    with small_lake(tmp_path / "lake", {catalog.EMBEDDINGS: rows}) as made:
        moments_table.store(made, folded(FIRST, REST), weights_id=MODEL, through=4)
        yield made


def held_in(lake):
    found = moments_table.stored(lake, MODEL)
    assert found is not None
    return found


def test_a_removal_moves_the_shift_once(lake):
    """What a removal does to the moments, with the rows that it stages."""
    before = held_in(lake)
    np.testing.assert_array_equal(before.moments.shift, FIRST[0])
    [chunk] = lake.ledger.plan([ChunkPlan(layer=REMOVAL, weights_id=MODEL, photos=1)])
    gone = Moments.of(FIRST, before.moments.shift)
    lake.staging.write_rows(chunk, KEYS, pa.table([["2-00"], [2]], KEYED))
    row = {"before": before.table_version, "n": gone.n}
    row |= {"sum": gone.sum.tobytes(), "gram": gone.gram.tobytes()}
    lake.staging.write_rows(chunk, FOLD, pa.Table.from_pylist([row], FOLDED))
    commits = {each.table: each for each in RemovalChunks(lake).contents(chunk).commits}
    assert set(commits) == {catalog.EMBEDDINGS, catalog.MOMENTS}
    commits[catalog.MOMENTS].write()
    after = held_in(lake)
    assert_moments_of(after.moments, REST)
    expected = REST.astype(np.float64).mean(axis=0).astype(np.float32)
    np.testing.assert_array_equal(after.moments.shift, expected)
    assert FIRST[0].astype(np.float64).tobytes() not in after.moments.shift.tobytes()
    assert after.through_chunk == 4


def test_a_shift_that_earlier_code_left_moves_and_the_pin_stays(lake):
    """Moments of the seven, about the one who left: earlier code subtracted and kept the shift."""
    stale = folded(FIRST, REST) - Moments.of(FIRST, FIRST[0].astype(np.float64))
    moments_table.store(lake, stale, weights_id=MODEL, through=4)
    write(lake.files.root, catalog.EMBEDDINGS, rows_of(embeddings(2), chunk=6))
    before, version = held_in(lake), lake.version(catalog.MOMENTS)
    assert before.table_version < lake.version(catalog.EMBEDDINGS)
    moments_table.leave_shifts(lake)
    after = held_in(lake)
    assert (after.through_chunk, after.table_version) == (4, before.table_version)
    assert_moments_of(after.moments, REST)
    np.testing.assert_array_equal(
        after.moments.shift, REST.astype(np.float64).mean(axis=0).astype(np.float32)
    )
    assert lake.version(catalog.MOMENTS) == version + 1
    moments_table.leave_shifts(lake)
    assert lake.version(catalog.MOMENTS) == version + 1
