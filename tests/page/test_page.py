"""The page in a browser, by keyboard alone: a photo, its answer, one that can't be used, and the token."""

import re

import pytest
from PIL import Image

from gold.acceptance import NEVER_SURE
from page.question_queue import QuestionQueue
from tests.support import canary
from tests.support.page_server import golden_lake, judged_golden_lake, served, served_from
from tests.support.photo_files import encoded

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def address(told):
    with served(told) as address:
        yield address


def choose(page, file):
    """As somebody without a mouse: to the field, and its button pressed."""
    # Before anything else: Chromium hands a chooser over only once it knows that somebody listens.
    page.once("filechooser", lambda chooser: chooser.set_files(file))
    page.locator("#about", has_text="Compared with").wait_for()
    for key in ("Tab", "Tab", "Shift+Tab", "Shift+Tab"):
        if page.evaluate("document.activeElement.id") == "photo":
            break
        page.keyboard.press(key)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_photo_is_answered_by_keyboard_alone(page, address, photo, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(address)
    page.locator("#about", has_text="predicted by classifier-").wait_for()
    about = page.locator("#about").inner_text()
    assert " scenes, in part guessed by likeness (95% interval " in about
    choose(page, photo)
    page.locator("#answer").wait_for()
    label = photo.parent.name.removeprefix("label=")
    # Whether the samples' few scenes are enough for a sure answer hangs on the key, by which folds are drawn.
    headline = page.locator("#answer-h").inner_text()
    assert re.fullmatch(rf"Not sure: perhaps {label}|{label}, \d+\.\d\s% sure", headline)
    assert page.evaluate("document.activeElement.id") == "answer"
    assert page.locator("#kinds li").count() == 3
    assert page.locator("#similar li").count() == 8
    assert page.locator("#similar li").first.inner_text().startswith(label)
    assert page.locator("#here").count() == 1
    ring, plot = page.locator("#here").bounding_box(), page.locator("#scatter svg").bounding_box()
    assert plot["x"] < ring["x"] < plot["x"] + plot["width"]
    assert plot["y"] < ring["y"] < plot["y"] + plot["height"]
    assert page.locator("#state").inner_text() == ""


def test_pictures_are_shown_but_no_persons(page, address, tmp_path):
    page.goto(address)
    file = tmp_path / "own.jpg"
    file.write_bytes(canary.jpeg(2))
    choose(page, file)
    page.locator("#answer").wait_for()
    page.locator("#similar").scroll_into_view_if_needed()
    page.locator("#similar .none").first.wait_for()
    assert page.locator("#similar li").first.locator(".none").count() == 1
    text = page.content()
    assert canary.MARKER not in text


def test_a_photo_that_can_not_be_used_is_told_and_the_next_one_answered(
    page, errors, address, photo, tmp_path
):
    notes = tmp_path / "notes.jpg"
    notes.write_text("no photo")
    page.goto(address)
    choose(page, notes)
    page.locator("#state.bad").wait_for()
    assert (
        "not_a_photo: no JPEG, PNG, WebP, HEIC or AVIF signature"
        in page.locator("#state").inner_text()
    )
    assert page.locator("#answer").is_hidden()
    assert "status of 422" in errors.pop()
    choose(page, photo)
    page.locator("#answer").wait_for()
    assert page.locator("#state").inner_text() == ""


def test_a_photo_that_the_browser_can_not_show_is_answered_without_its_picture(
    page, address, photo, tmp_path
):
    phone = tmp_path / "phone.heic"
    with Image.open(photo) as image:
        phone.write_bytes(encoded(image.convert("RGB"), "HEIC"))
    page.goto(address)
    choose(page, phone)
    page.locator("#answer").wait_for()
    page.locator("#sent").wait_for(state="hidden")
    assert page.locator("#similar li").count() == 8
    choose(page, photo)
    page.locator("#sent").wait_for(state="visible")
    assert page.evaluate("document.getElementById('sent').naturalWidth") > 0


def test_on_a_phone_nothing_is_cut_off(page, address, photo):
    page.set_viewport_size({"width": 360, "height": 700})
    page.goto(address)
    choose(page, photo)
    page.locator("#answer").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def sent_anew(root):
    """A photo of a kiwi that the lake under a root holds, saved once more: so the lake doesn't hold it."""
    sent = root / "sent.jpg"
    Image.open(root / "landing/kiwi/13.jpg").save(sent, quality=95)
    return sent


def answered(page, lake, photo):
    """What the page says of a photo: its headline, what it means, and how the scatter's marks look."""
    with served_from(QuestionQueue(*lake)) as started:
        page.goto(f"http://127.0.0.1:{started.port}")
        choose(page, photo)
        page.locator("#answer").wait_for()
        meaning = page.locator("#verdict")
        words = meaning.inner_text() if meaning.is_visible() else ""
        marks = page.locator("#scatter path[aria-label]").count()
        alike = page.locator("#scatter path.alike").count()
        named = page.locator("#kinds li").all_inner_texts()
        assert len(named) == 3
        assert ("those of the same kind are stronger" in page.content()) is (alike < marks)
        headline = page.locator("#answer-h").inner_text().replace("\u00a0", " ")
        assert page.locator("#kinds meter").count() == (0 if "Nothing" in headline else 3)
        return headline, words.replace("\u00a0", " "), alike == marks


@pytest.mark.parametrize(
    ("bounds", "headline", "meaning"),
    [
        ((0.0, -1.0), r"kiwi, \d+\.\d % sure", ""),
        ((0.99, -1.0), "Not sure: perhaps kiwi", r"A confidence of \d+\.\d % is .* below 99.0 %, too"),
        ((NEVER_SURE, -1.0), "Not sure: perhaps kiwi", "This classifier is sure of no photo: .* More photos"),
        ((0.0, 1.1), "Nothing like this in the lake", "The photo is unlike every kind .* no fruit at all"),
        ((NEVER_SURE, 1.1), "Nothing like this in the lake", "The photo is unlike every kind"),
    ],
    ids=["sure", "not sure", "never sure", "unlike", "unlike and never sure"],
)  # fmt: skip
def test_the_headline_says_whether_to_rely_on_the_kind(page, tmp_path, bounds, headline, meaning):
    sure_from, least_likeness = bounds
    lake = judged_golden_lake(tmp_path, sure_from=sure_from, least_likeness=least_likeness)
    said, words, all_marks_are_alike = answered(page, lake, sent_anew(tmp_path))
    assert re.fullmatch(headline, said)
    assert re.match(meaning, words) if meaning else words == ""
    assert all_marks_are_alike is said.startswith("Nothing")


def test_a_photo_that_the_lake_holds_is_like_one_there(page, tmp_path):
    lake = judged_golden_lake(tmp_path, sure_from=0.0, least_likeness=1.1)
    said, words, _ = answered(page, lake, tmp_path / "landing/kiwi/13.jpg")
    assert re.fullmatch(r"kiwi, \d+\.\d % sure", said)
    assert words == ""


def test_a_classifier_of_earlier_code_says_its_kind_without_a_verdict(page, tmp_path):
    said, words, _ = answered(page, golden_lake(tmp_path), tmp_path / "landing/kiwi/13.jpg")
    assert re.fullmatch(r"kiwi, \d+\.\d % sure", said)
    assert words == ""
    about = page.locator("#about").inner_text()
    assert "was not calculated by the earlier code that trained it" in about


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_verdict_fits_a_phone(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 700})
    lake = judged_golden_lake(tmp_path, sure_from=0.0, least_likeness=1.1)
    headline, *_ = answered(page, lake, sent_anew(tmp_path))
    assert headline.startswith("Nothing")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_with_a_token_asks_for_it_and_sends_it(page, errors, tmp_path):
    """By keyboard alone; the pictures come with it, too. A tab that is loaded anew still has it."""
    own = QuestionQueue(*golden_lake(tmp_path))
    with served_from(own, token=TOKEN.encode()) as started:
        page.goto(f"http://127.0.0.1:{started.port}")
        page.locator("#about", has_text="Enter the token of the server.").wait_for()
        assert page.locator("#drop").is_hidden()
        for words in ("wrong-token-of-some-length", "wröng"):
            page.keyboard.type(words)
            page.keyboard.press("Enter")
            page.locator("#about", has_text="This is not the token of the server").wait_for()
            assert page.evaluate("document.activeElement.id") == "token"
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        page.locator("#about", has_text="Compared with").wait_for()
        assert page.locator("#enter").is_hidden()
        file = tmp_path / "own.jpg"
        file.write_bytes(canary.jpeg(2))
        choose(page, file)
        page.locator("#answer").wait_for()
        page.wait_for_function(
            "[...document.querySelectorAll('#similar img')].some((each) => each.naturalWidth)"
        )
        assert page.locator("#scatter svg").count() == 1
        page.reload()
        page.locator("#about", has_text="Compared with").wait_for()
        assert TOKEN not in page.content() + page.url
    assert {"status of 401" in errors.pop() for _ in range(3)} == {True}
