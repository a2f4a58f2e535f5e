"""What a precision is judged by: the embeddings of the same photos in float32 and in it."""

import numpy as np
import pytest

from lake.parquet_files import RowSpan
from silver.precision_quality import FEWEST, GROUPS, NEIGHBOURS, _sample, compared, sentence
from silver.precision_quality import PHOTOS as PHOTOS_TAKEN

PHOTOS, DIMENSIONS = 60, 32


@pytest.fixture
def exact():
    """Embeddings of six kinds of ten photos each."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(rng.uniform(0, 6, (6, DIMENSIONS)), 10, axis=0)
    return (kinds + rng.normal(0, 0.5, (PHOTOS, DIMENSIONS))).astype(np.float32)


def test_equal_embeddings_lose_nothing(exact):
    found = compared(exact, exact.copy())
    assert found.pop("judged_photos") == PHOTOS
    assert found == pytest.approx(dict.fromkeys(found, 1.0))


def test_one_photo_that_went_astray_is_the_least(exact):
    rough = exact.copy()
    rough[7] = -exact[7]
    found = compared(exact, rough)
    assert found["cosine_least"] == pytest.approx(-1)
    assert found["cosine_mean"] == pytest.approx(1 - 2 / PHOTOS)
    # It has other nearest ones, and may have been among those of its nine companions.
    lost = 1 - found["neighbours_kept"]
    assert NEIGHBOURS <= round(lost * PHOTOS * NEIGHBOURS) <= NEIGHBOURS + 9


def test_the_length_of_an_embedding_moves_no_cosine_and_no_neighbour(exact):
    found = compared(exact, 3 * exact)
    assert (found["cosine_mean"], found["neighbours_kept"]) == pytest.approx((1, 1))


def test_neighbours_of_chance_are_few(exact):
    shuffled = exact[np.random.default_rng(1).permutation(PHOTOS)]
    assert compared(exact, shuffled)["neighbours_kept"] < 3 * NEIGHBOURS / PHOTOS


def test_variance_is_lost_where_the_rough_ones_have_it_elsewhere():
    """Four directions hold all variance of the exact embeddings; the rough ones have two of them."""
    rng = np.random.default_rng(2)
    exact = np.zeros((PHOTOS, 40), np.float32)
    exact[:, :4] = rng.normal(0, 1, (PHOTOS, 4))
    rough = exact.copy()
    rough[:, 2:4] = 0
    rough[:, 10:] = rng.normal(0, 0.5, (PHOTOS, 30))
    kept = exact - exact.mean(axis=0)
    wanted = (kept[:, :2] ** 2).sum() / (kept**2).sum()
    assert compared(exact, rough)["variance_kept"] == pytest.approx(wanted, abs=0.15)
    assert compared(exact, rough)["variance_kept"] < 0.8


def test_photos_that_are_all_alike_have_no_variance_to_lose():
    alike = np.ones((PHOTOS, DIMENSIONS), np.float32)
    assert compared(alike, alike)["variance_kept"] == 1


def test_a_photo_that_the_precision_loses_counts_and_stops_nothing(exact):
    rough = exact.copy()
    rough[3] = 0
    rough[4, 5] = np.nan
    rough[5, 5] = np.inf
    found = compared(exact, rough)
    assert found["cosine_least"] == -1
    assert found["cosine_mean"] == pytest.approx((PHOTOS - 3 - 2) / PHOTOS)
    assert np.isfinite(list(found.values())).all()
    np.testing.assert_array_equal(rough[5, 5], np.inf)  # the caller's are untouched


def test_photos_without_an_embedding_in_float32_are_left_out(exact):
    exact[3], exact[4, 5] = 0, np.nan
    assert compared(exact, exact.copy())["judged_photos"] == PHOTOS - 2


@pytest.mark.parametrize("photos", [0, 1, FEWEST - 1])
def test_too_few_are_not_judged(exact, photos):
    some = exact.copy()
    some[photos:] = 0
    assert compared(some, some.copy()) == {}
    assert compared(exact[:photos], exact[:photos].copy()) == {}


def spans(*rows):
    return [RowSpan(f"f{number}", 0, 0, each) for number, each in enumerate(rows)]


@pytest.mark.parametrize(
    ("held", "taken"),
    [
        ((), []),
        ((12,), [12]),
        ((500,), [PHOTOS_TAKEN]),
        ((3, 500, 500), [3, 99, 98]),
        ((500, 500, 3), [67, 67, 3]),
        ((1000,) * 50, [25] * GROUPS),
    ],
)
def test_a_sample_is_of_groups_far_apart(held, taken):
    found = _sample(spans(*held))
    assert [each.rows for each in found] == taken
    assert {each.first for each in found} <= {0}
    names = [int(each.name[1:]) for each in found]
    assert names == sorted(set(names))
    assert not names or (names[0], names[-1]) == (0, len(held) - 1)


def test_the_sentence_tells_all(exact):
    metrics = {
        "judged_photos": 1200.0,
        "cosine_mean": 0.99123,
        "cosine_least": 0.97,
        "neighbours_kept": 0.928,
        "variance_kept": 0.9951,
    }
    assert sentence(metrics) == (
        "a cosine of 0.9912 to float32 (least 0.9700), 92.8% of the nearest photos and 99.5% of the "
        "variance kept, on 1,200 photos"
    )
