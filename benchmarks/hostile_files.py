"""What hostile files cost: one row each, no failed task, and bounded memory.

    python benchmarks/hostile_files.py [--files N] [--seed N] [--worst] [--place FOLDER]

A landing folder is made of N files, and `run.py --layer all` takes them in. Every format that Pillow writes
gives pictures of several modes; each is cut at each tenth of its length, has bits flipped, bytes overwritten,
and segments repeated, left out and exchanged. With `--worst` the folder holds, in their place, the files of
which a parser or a decoder makes the most memory or the most work, several of each, so that every slot meets
them.

What is shown: whether each file is a row; whether a task failed (on one machine a failed task ends the run);
refusals by reason; and the peak of memory of a worker and of its children, by the kernel's own marks and by
samples of what they had at one time.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conf.settings import Settings
from lake import catalog, delta_rs_reader
from lake.photo_formats import FORMATS

ROOT = Path(__file__).resolve().parents[1]
EMR = Settings.load("emr", environment={})
"""A cluster has the least memory: the run has its limit."""

MODES = ("RGB", "L", "RGBA", "P", "CMYK", "LA", "1", "I;16")
TAKEN = tuple(f"{each.name} " for each in FORMATS)
"""How the names of files begin whose formats the lake takes."""

SIDE = 48
WORST_SIDE = 9_900
COPIES = 3
"""How often each of the worst files lies in the folder; bytes behind its end make each another one."""


def picture(mode: str, *, side: int = SIDE, seed: int = 0) -> Image.Image:
    """A picture of some colours: a gradient, and noise in a corner."""
    corner = SIDE // 4
    ramp = np.linspace(0, 255, side, dtype=np.uint8)
    grey = np.add.outer(ramp // 2, ramp // 2)
    grey[:corner, :corner] = np.random.default_rng(seed).integers(0, 256, (corner, corner))
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    return Image.fromarray(grey).convert("RGB").convert(mode)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of a picture in a format. Raises what Pillow raises where the format has no such pictures."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def written_formats() -> dict[str, bytes]:
    """A file of each format and mode that Pillow writes, by its name, of some formats with options, and HEIC
    where pillow-heif is installed."""
    Image.init()
    found = {}
    for form in sorted(Image.SAVE):
        for mode in MODES:
            # Pillow has an error of its own for each format, and warns of those that it will drop.
            with suppress(Exception), warnings.catch_warnings(action="ignore"):
                found[f"{form} {mode}"] = encoded(picture(mode), form)
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x0132: "2026:11:25 10:00:00", 0x010F: "a maker"})
    for form in ("JPEG", "PNG", "WEBP"):
        found[f"{form} exif"] = encoded(picture("RGB"), form, exif=exif.tobytes())
    found["JPEG progressive"] = encoded(picture("RGB"), "JPEG", progressive=True)
    found["WEBP lossless"] = encoded(picture("RGBA"), "WEBP", lossless=True)
    moving = {"save_all": True, "append_images": [picture("RGB", seed=n) for n in (1, 2)]}
    for form in ("PNG", "WEBP", "GIF", "TIFF", "MPO"):
        found[f"{form} of several"] = encoded(picture("RGB"), form, **moving)
    with suppress(ImportError):  # it is for tests alone
        import pillow_heif

        for mode in ("RGB", "RGBA", "L"):
            stream = io.BytesIO()
            pillow_heif.from_pillow(picture(mode)).save(stream, quality=80)
            found[f"HEIC {mode}"] = stream.getvalue()
    return found


def hostile(files: Mapping[str, bytes], *, seed: int) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of files made of others, without end and each another one: first each whole and cut.

    Half of the others are of the formats that the lake takes.
    """
    seen = set[bytes]()
    for name, content in files.items():
        for tenths in range(10, 0, -1):
            cut = content[: len(content) * tenths // 10]
            if cut not in seen:
                seen.add(cut)
                yield f"{name} cut {tenths}", cut
    drawn = random.Random(seed)
    taken = [name for name in files if name.startswith(TAKEN)]
    for number in range(sys.maxsize):
        name = drawn.choice(taken if number % 2 else list(files))
        content = files[name]
        changed = drawn.choice(CHANGES)(bytearray(content), drawn)
        if changed not in seen:
            seen.add(changed)
            yield f"{name} changed {number}", changed


def _flipped(content: bytearray, drawn: random.Random) -> bytes:
    for _ in range(drawn.choice((1, 1, 2, 8, 64))):
        content[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
    return bytes(content)


def _overwritten(content: bytearray, drawn: random.Random) -> bytes:
    start, length = drawn.randrange(len(content)), drawn.choice((1, 2, 4, 16))
    content[start : start + length] = drawn.choice((b"\0", b"\xff", b"\x80")) * length
    return bytes(content)


def _repeated(content: bytearray, drawn: random.Random) -> bytes:
    start, end = sorted(drawn.randrange(len(content) + 1) for _ in range(2))
    return bytes(content[:end] + content[start:end] * drawn.choice((1, 2, 50)) + content[end:])


def _left_out(content: bytearray, drawn: random.Random) -> bytes:
    start = drawn.randrange(len(content))
    del content[start : start + drawn.choice((1, 3, 20, 200))]
    return bytes(content)


def _exchanged(content: bytearray, drawn: random.Random) -> bytes:
    first, second, third = sorted(drawn.randrange(len(content) + 1) for _ in range(3))
    return bytes(content[:first] + content[second:third] + content[first:second] + content[third:])


CHANGES = (_flipped, _overwritten, _repeated, _left_out, _exchanged)


def _segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, depth: int, colour: int, *chunks: bytes) -> bytes:
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _png_chunk(b"IEND", b"")


def _many_rationals(count: int) -> bytes:
    """An EXIF block of which Pillow makes `count` objects for the orientation."""
    entry = struct.pack(">HHIL", 0x0112, 5, count, 26)
    values = struct.pack(">II", 6, 1) * count
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4) + values


def worst_files(*, side: int = WORST_SIDE, bytes_of_zeros: int = 49_000_000) -> dict[str, bytes]:
    """The files of which parsers and decoders make the most memory or work for each byte, by name.

    `side` is that of large pictures, and `bytes_of_zeros` the length of what is long.
    """
    large, small = picture("L", side=side), encoded(picture("RGB"), "JPEG")
    png, webp = encoded(picture("RGB"), "PNG"), encoded(picture("RGB"), "WEBP", exif=bytes(16))
    data, frame = png.index(b"IDAT") - 4, 12 + 18
    rationals = _many_rationals(bytes_of_zeros // 8)
    alphas = webp[12:frame] + struct.pack("<4sI", b"ALPH", 0) * 59_000 + webp[frame:]
    rows = zlib.compress(bytes(side * (side + 1)), 9)
    palette = _png_chunk(b"PLTE", bytes(768))
    long_rows = zlib.compress(bytes(3 * side * (9 * side + 1)), 9)
    return {
        "webp": encoded(large.convert("RGB"), "WEBP", quality=10, method=0),
        "webp lossless": encoded(large.convert("RGB"), "WEBP", lossless=True, quality=0, method=0),
        "webp of 18 megapixels": encoded(
            picture("RGB", side=side * 3 // 7), "WEBP", quality=10, method=0
        ),
        "webp of empty alphas": struct.pack("<4sI4s", b"RIFF", 4 + len(alphas), b"WEBP") + alphas,
        "jpeg progressive": encoded(large.convert("RGB"), "JPEG", quality=5, progressive=True),
        "jpeg progressive cmyk": encoded(
            large.convert("CMYK"), "JPEG", quality=5, progressive=True
        ),
        "jpeg of restarts": small[:2] + _segment(0xDD, bytes(2)) * 59_000 + small[2:],
        "jpeg of tables": small[:2]
        + _segment(0xCC, b"\0\x10" * 32_000) * (bytes_of_zeros // 70_000)
        + small[2:],
        "jpeg of zeros": small[:-2] + bytes(bytes_of_zeros) + small[-2:],
        "jpeg exif": small[:2]
        + b"".join(
            _segment(0xE1, b"Exif\0\0" + rationals[at : at + 65_000])
            for at in range(0, len(rationals), 65_000)
        )
        + small[2:],
        "png 16 bit": encoded(picture("I;16", side=side), "PNG"),
        "png transparent": encoded(large.convert("LA"), "PNG"),
        "png one bit": encoded(large.convert("1"), "PNG"),
        "png of nothing": _png(side, side, 8, 0, _png_chunk(b"IDAT", rows)),
        "png of a palette": _png(9 * side, 3 * side, 8, 3, palette, _png_chunk(b"IDAT", long_rows)),
        "png of empty data": png[:data] + _png_chunk(b"IDAT", b"") * 59_000 + png[data:],
        "png exif": png[:data] + _png_chunk(b"eXIf", rationals) + png[data:],
        "png text": png[:data]
        + _png_chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(bytes(bytes_of_zeros)))
        + png[data:],
    }


def fill(landing: Path, *, files: int, seed: int, worst: bool) -> int:
    """Write the files, and return their number."""
    landing.mkdir(parents=True)
    if worst:
        found: Iterator[tuple[str, bytes]] = (
            (f"{name} {copy}", content + bytes(copy))
            for name, content in worst_files().items()
            for copy in range(COPIES)
        )
    else:
        found = islice(hostile(written_formats(), seed=seed), files)
    for name, content in found:
        (landing / f"{name.replace(' ', '-')}.jpg").write_bytes(content)
    return len(list(landing.iterdir()))


class MemoryMarks:
    """The resident memory of the workers and their children of one run, in bytes.

    `worker` and `child` are the highest marks of one of them. `slot` is the most that a worker and its
    children had at one time, as far as samples show it.
    """

    def __init__(self) -> None:
        self.worker = self.child = self.slot = 0

    def look(self) -> None:
        """Read the kernel's marks of all processes that are there now."""
        slots = Counter[str]()
        for folder in Path("/proc").iterdir():
            with suppress(OSError, KeyError, ValueError):
                words = (folder / "cmdline").read_bytes()
                lines = (folder / "status").read_text().splitlines()
                facts = {
                    name: text.strip() for name, text in (each.split(":", 1) for each in lines)
                }
                highest, now = (int(facts[name].split()[0]) << 10 for name in ("VmHWM", "VmRSS"))
                if b"isolated_work" in words:
                    self.child = max(self.child, highest)
                    slots[facts["PPid"]] += now
                elif b"pyspark.daemon" in words:
                    self.worker = max(self.worker, highest)
                    slots[folder.name] += now
        self.slot = max(self.slot, *slots.values(), 0)


def run(place: Path, files: int, console: Console) -> bool:
    """Take the files in, show what came of it, and return whether each is a row."""
    lake, marks = place / "lake", MemoryMarks()
    words = ["--layer", "all", "--set", f"paths.landing={place / 'landing'}"]
    words += ["--set", f"paths.lake={lake}", "--set", "gates.refused_share=1.0"]
    words += ["--set", f"photos.decoder_memory={EMR.photos.decoder_memory}"]
    began = time.perf_counter()
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, ROOT / "run.py", *words], cwd=place, stdout=log, stderr=log
        )
    while process.poll() is None:
        marks.look()
        time.sleep(0.05)
    console.print(f"exit code {process.returncode} after {time.perf_counter() - began:.0f} s")
    if process.returncode:
        console.print((place / "log").read_text()[-3000:], markup=False)
    objects = _column(lake, catalog.OBJECTS, "outcome")
    console.print(
        f"{files:,} files, {len(objects):,} rows in bronze/objects:", dict(Counter(objects))
    )
    for table in (catalog.REJECTED, catalog.QUARANTINE):
        console.print(f"{table.name}:", dict(Counter(_column(lake, table, "reason"))))
    console.print(
        f"peak of a worker {marks.worker / 1e6:,.0f} MB, of a child {marks.child / 1e6:,.0f} MB, of a worker "
        f"and its children at one time {marks.slot / 1e6:,.0f} MB, of {_slot_bytes() / 1e6:,.0f} MB that a "
        "slot of conf/emr.toml has; there the list of a chunk's objects comes to it"
    )
    return process.returncode == 0 and len(objects) == files


def _column(lake: Path, table: str, name: str) -> list[str]:
    """The values of a column of a table."""
    found = delta_rs_reader.dataset(delta_rs_reader.delta_table(str(lake), table))
    values: list[str] = found.to_table(columns=[name])[name].to_pylist()
    return values


def _slot_bytes() -> float:
    """The bytes beside Java's heap that conf/emr.toml gives to each slot of an executor."""
    config = EMR.spark.config
    gibibytes = int(config["spark.executor.memoryOverhead"].removesuffix("g"))
    return gibibytes * 2**30 / int(config["spark.executor.cores"])


def main() -> int:
    """Make the files, run, and return 0 where each file is a row."""
    parser = argparse.ArgumentParser(
        description="Takes in hostile files, and shows what they cost."
    )
    parser.add_argument("--files", type=int, default=7_000, help="the number of files")
    parser.add_argument("--seed", type=int, default=1, help="of what is changed in them")
    parser.add_argument("--worst", action="store_true", help="the files that take the most memory")
    parser.add_argument("--place", type=Path, help="a folder for the photos and the lake")
    words = parser.parse_args()
    console = Console()
    place = words.place or Path(tempfile.mkdtemp())
    try:
        files = fill(place / "landing", files=words.files, seed=words.seed, worst=words.worst)
        return 0 if run(place, files, console) else 1
    finally:
        if not words.place:
            shutil.rmtree(place)


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
