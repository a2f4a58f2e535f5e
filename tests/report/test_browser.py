"""The report in a browser: it has no error, shows a mark's kind, and is worked by keyboard alone."""

import pytest

from report import html_report
from report.report_facts import ReportFacts


@pytest.fixture(scope="module")
def report(told, tmp_path_factory):
    file = tmp_path_factory.mktemp("report") / "report.html"
    html_report.write(ReportFacts.of(told.files, told.settings), file)
    return file.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_paper_in_both_themes(page, report, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(report)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 8
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}


def test_a_mark_says_its_kind_under_the_pointer(page, report):
    page.goto(report)
    told = page.locator("#told")
    assert told.is_hidden()
    mark = page.locator("#components path[aria-label]").first
    mark.hover()
    assert told.inner_text() == mark.get_attribute("aria-label")
    page.mouse.move(1, 1)
    assert told.is_hidden()


def test_one_kind_is_shown_by_keyboard_alone(page, report):
    page.goto(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    button = page.locator(".kinds button").first
    for _ in range(200):
        if button.evaluate("each => each === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    kind = button.get_attribute("data-kind")
    shown = page.evaluate(SHOWN)
    assert shown[kind] > 0.5
    assert all(opacity < 0.1 for other, opacity in shown.items() if other != kind)
    page.keyboard.press("Space")
    assert all(opacity > 0.5 for opacity in page.evaluate(SHOWN).values())


def test_on_paper_it_is_dark_on_light_without_buttons(page, report):
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(report)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".kinds").first.is_hidden()
    assert page.locator("nav").is_hidden()


def test_on_a_phone_only_tables_and_plots_scroll_sideways(page, report):
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(report)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


SHOWN = """Object.fromEntries([...document.querySelectorAll("#components div path[aria-label]")].map(
  mark => [mark.getAttribute("aria-label"), Number(getComputedStyle(mark).opacity)]))"""

CONTRASTS = """(() => {
  const style = getComputedStyle(document.documentElement);
  const luminance = name => {
    const probe = document.createElement("i");
    probe.style.color = style.getPropertyValue(name);
    document.body.append(probe);
    const [r, g, b] = getComputedStyle(probe).color.match(/[0-9.]+/g).map(value => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    probe.remove();
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (const paper of ["--paper", "--panel"])
    for (const ink of ["--ink", "--soft", "--good", "--warn", "--bad", "--c0"]) {
      const [low, high] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
      found[`${ink} on ${paper}`] = (high + 0.05) / (low + 0.05);
    }
  return found;
})()"""
