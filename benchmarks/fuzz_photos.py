"""Fuzzes what reads bytes of strangers, `clean` and `decode`, with atheris, for a bounded time.

    pip install -r requirements-fuzz.txt
    python benchmarks/fuzz_photos.py [--seconds N] [--found FOLDER]

The corpus is made anew: every small file that `hostile_files` makes in a format that the lake takes.
What must hold for any bytes: `clean` returns a photo or raises NotAPhoto; a photo that is clean stays as it
is when it is cleaned again; `decode` returns pixels or raises RefusedPhoto. What breaks that is written to
the folder, and the exit code is not 0. Each finding becomes a case of a test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["bronze", "silver"]):
    from bronze.formats.cleaning_results import NotAPhoto
    from bronze.formats.metadata_removal import clean
    from silver.pixels import Limits, RefusedPhoto, decode

from benchmarks.hostile_files import TAKEN, written_formats
from lake.enums import PixelWay

SIZE = 32
LIMITS = Limits(
    max_bytes=1_000_000,
    max_pixels=1_000_000,
    min_side=8,
    blank_range=0,
    decode_seconds=30,
    decoder_memory=500_000_000,
)


def try_one(content: bytes) -> None:
    """Read one file. Raises what must not be raised."""
    with suppress(RefusedPhoto):
        for way in PixelWay:
            decode(content, size=SIZE, limits=LIMITS, way=way)
    with suppress(NotAPhoto):
        cleaned = clean(content)
        again = clean(cleaned.content)
        assert again.content == cleaned.content, "a clean photo changed when it was cleaned again"
        with suppress(RefusedPhoto):
            decode(cleaned.content, size=SIZE, limits=LIMITS, way=PixelWay.BICUBIC)


def main() -> None:
    """Fuzz until the time is over, or something is found."""
    parser = argparse.ArgumentParser(description="Fuzzes what reads bytes of strangers.")
    parser.add_argument("--seconds", type=int, default=600, help="the time that it takes")
    parser.add_argument("--found", type=Path, default=Path("fuzz-findings"), help="a folder")
    words = parser.parse_args()
    words.found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, (name, content) in enumerate(written_formats().items()):
            if name.startswith(TAKEN):
                Path(corpus, str(number)).write_bytes(content)
        options = [
            f"-max_total_time={words.seconds}",
            f"-artifact_prefix={words.found}/",
            "-timeout=30",
            "-rss_limit_mb=2048",
            "-max_len=20000",
        ]
        atheris.Setup([sys.argv[0], *options, corpus], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
