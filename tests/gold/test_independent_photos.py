"""Which photos that got a label later are tests of their own, and what a scene of them is."""

from datetime import date

import pytest

from gold import independent_photos
from gold.independent_photos import scene, without_copies

DAY, NEXT = date(2027, 3, 1), date(2027, 3, 2)


def photo(name, dhash, *, subject=None, label="kiwi"):
    return {"photo_id": name, "subject": subject, "label": label, "dhash": dhash}


def kept(new, *earlier):
    return "".join(row["photo_id"] for row in without_copies(new, earlier))


def test_copies_of_earlier_photos_are_no_tests():
    fitted = [photo("f", 0b0)]
    assert kept([photo("a", 0b111111), photo("b", 2**13 - 1)], fitted) == "b"


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_copies_are_found_in_each_batch_of_earlier_photos(batch):
    batches = [[photo("f", -(2**60))], [photo("g", 2**61)], []]
    batches[batch] = [*batches[batch], photo("h", 1)]
    assert kept([photo("a", 0), photo("b", 2**40 - 1)], *batches) == "b"


def test_copies_are_found_however_few_pairs_are_compared_at_once(monkeypatch):
    monkeypatch.setattr(independent_photos, "PAIRS_AT_ONCE", 3)
    fitted = [photo(str(n), 1 << 8 * n) for n in range(7)]
    assert kept([photo("a", 1 << 48), photo("b", -1)], fitted) == "b"
    assert kept([photo("a", (1 << 63) - 1), photo("b", -1)], [photo("f", -2)]) == ""


def test_a_copy_is_of_the_same_person_or_label():
    fitted = [photo("f", 0, subject="p")]
    new = [photo("a", 0, subject="p", label="lime"), photo("b", 0, subject="q", label="plum")]
    assert kept(new, fitted) == "b"


def test_a_chain_of_new_photos_to_an_earlier_one_are_all_copies():
    near, further = photo("a", 0b111111), photo("b", 0b111111_111111)
    assert kept([further, near], [photo("f", 0)]) == ""


def test_of_copies_among_the_new_the_first_is_tested():
    assert kept([photo("a", 0), photo("b", 2**50 - 1), photo("c", 1), photo("d", 3)], []) == "ab"
    assert kept([photo("a", 0), photo("b", 1)]) == "a"
    assert kept([], [photo("f", 0)]) == ""


def number(*, subject=None, label="kiwi", taken=None, came=NEXT):
    return scene({"subject": subject, "label": label}, taken=taken, came=came)


def test_a_scene_is_what_a_person_took_on_a_day():
    visit = number(subject="p", taken=DAY)
    assert visit == number(subject="p", taken=DAY, label="lime")
    assert visit == number(subject="p", taken=DAY, came=DAY)
    others = {number(subject="q", taken=DAY), number(subject="p", taken=NEXT), number(taken=DAY)}
    assert len({visit, *others}) == 4
    assert all(0 <= each < 2**63 for each in others)


def test_without_a_day_it_is_the_day_of_coming():
    assert number(subject="p", came=DAY) == number(subject="p", label="lime", taken=DAY)
    assert number(subject="p", came=DAY) != number(subject="p", came=NEXT)


def test_without_a_person_a_day_is_one_scene_and_without_both_each_label_of_it_is():
    assert number(taken=DAY) == number(taken=DAY, label="lime")
    assert len({number(), number(label="lime"), number(came=DAY)}) == 3
    assert number() == number()
