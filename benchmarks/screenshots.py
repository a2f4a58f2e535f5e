"""The README's pictures, of a real run over generated photos: python benchmarks/screenshots.py

It makes a lake in a folder of its own (two runs, and a training), writes the report, opens it and the page in
Chromium, and puts what is seen into report/screenshots.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import chromium
from benchmarks.page_latency import ROOT, served

OUT = ROOT / "report" / "screenshots"
WIDE = 1100


def command(*words: str) -> list[str]:
    """run.py over the lake of the pictures."""
    return [sys.executable, str(ROOT / "run.py"), *words, "--lake", "lake", "--landing", "landing"]


def run(*words: str, folder: Path) -> None:
    """One command, to its end."""
    subprocess.run(command(*words), cwd=folder, check=True)


def report(page: Page, folder: Path) -> None:
    """Its top in the dark, and the scatter in the light."""
    page.emulate_media(color_scheme="dark")
    page.goto((folder / "report.html").as_uri())
    page.screenshot(path=OUT / "report.png", clip={"x": 0, "y": 0, "width": WIDE, "height": 900})
    page.emulate_media(color_scheme="light")
    page.locator("#components").screenshot(path=OUT / "components.png")


def answered(page: Page, address: str, photo: Path) -> None:
    """The page with an answer."""
    page.goto(address)
    page.set_input_files("#photo", photo)
    page.locator("#answer").wait_for()
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=OUT / "page.png", clip={"x": 0, "y": 0, "width": WIDE, "height": 900})


def main() -> None:
    """All pictures, in some three minutes."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        run("--layer", "all", "--samples", "240", folder=folder)
        run("--layer", "all", "--samples", "360", folder=folder)
        run("train", folder=folder)
        run("report", folder=folder)
        browser = playwright.chromium.launch(executable_path=chromium.found(), args=chromium.ALONE)
        page = browser.new_page(viewport={"width": WIDE, "height": 900})
        report(page, folder)
        photos = sorted(folder.glob("landing/label=*/*.jpg"))
        with served(folder / "lake") as address:
            answered(page, address, next(p for p in photos if p.stat().st_size > 20_000))
        browser.close()


if __name__ == "__main__":
    main()
