"""Makes a lake with the code of a checkout, and packs it: the lakes of earlier formats are made so.

    python tests/lakes/make.py CHECKOUT tests/lakes/format-4.tar.gz

The checkout's own command line does all the work, in this environment. What the lake went through stands in
README.md beside this file; a later format gets a lake of its own, made by its own code, and this one stays.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, VALUES = 32, 8
"""Of the model: the pixels of a side of its input, and the length of an embedding."""


MORNING = 1_767_250_800
"""When the first photo arrives: 2026-01-01 07:00 UTC, in seconds since 1970."""


def photo(seed: int, *, kind: str, size: int = 64) -> bytes:
    """A JPEG of a disc on a slope; the disc's colour tells the kind, everything else the seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    centre, radius = rng.uniform(0.35, 0.65, 2), rng.uniform(0.2, 0.3)
    pixels = np.stack([60 + 90 * x, 60 + 90 * y, np.full_like(x, rng.uniform(40, 120))], axis=-1)
    colour = {"apple": (200, 30, 40), "kiwi": (110, 150, 40), "lemon": (240, 220, 60)}[kind]
    pixels[np.hypot(x - centre[0], y - centre[1]) < radius] = colour
    pixels += rng.normal(0, 6, pixels.shape)
    exif = Image.Exif()
    exif[0x0132] = f"2026:01:{1 + seed % 28:02} 08:00:00"
    made = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(made, "JPEG", quality=85, exif=exif)
    return made.getvalue()


def blank(seed: int) -> bytes:
    """A PNG of one colour, which silver refuses as blank."""
    made = io.BytesIO()
    Image.new("RGB", (48, 48), (seed, seed, 90)).save(made, "PNG")
    return made.getvalue()


def put(landing: Path, name: str, content: bytes) -> None:
    """A landing object that arrives a second after those before it.

    Its time is of whole seconds: etags hold it in nanoseconds, which an archive would round.
    """
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    arrived = MORNING + sum(each.is_file() for each in landing.rglob("*"))
    os.utime(path, (arrived, arrived))


def model() -> bytes:
    """A LiteRT flatbuffer of some kilobytes: one small convolution with random weights, averaged."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(4)
    pixels = keras.Input((SIDE, SIDE, 3), name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="scaling")(pixels)
    maps = keras.layers.Conv2D(VALUES, 5, strides=3, activation="relu", name="maps")(scaled)
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(maps)
    whole = keras.Model(pixels, embedding)
    signature = tf.TensorSpec([1, SIDE, SIDE, 3], tf.float32, name="pixels")
    function = tf.function(lambda pixels: whole(pixels, training=False), autograph=False)
    concrete = function.get_concrete_function(signature)
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], function).convert())


def make(checkout: Path, root: Path) -> None:
    """The landing folder, the model, the key and the lake under `root`."""
    landing = root / "landing"

    def run(*words: str, code: int = 0) -> None:
        command = [sys.executable, str(checkout / "run.py"), *words]
        command += ["--landing", "landing", "--lake", "lake", "--extractor", "tflite"]
        command += ["--weights", "model.tflite", "--set", "pca.components=3"]
        command += ["--set", "training.folds=2", "--set", "gates.counted_from=10"]
        done = subprocess.run(command, cwd=root, check=False)
        if done.returncode != code:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}, not {code}")

    (root / "model.tflite").write_bytes(model())
    # The first day: three people, a data set without people, and what is no photo.
    for seed, who in enumerate(["anna", "bruno", "anna", "bruno", "carla", "anna", "carla"]):
        kind = ("apple", "kiwi", "lemon")[seed % 3]
        put(landing, f"subject={who}/label={kind}/{seed}.jpg", photo(seed, kind=kind))
    for seed in range(10, 22):
        kind = ("apple", "kiwi", "lemon")[seed % 3]
        put(landing, f"{kind}/{seed}.jpg", photo(seed, kind=kind))
    put(landing, "apple/copy.jpg", photo(12, kind="apple"))
    put(landing, "kiwi/page.jpg", b"<!doctype html>")
    put(landing, "lemon/blank.png", blank(100))
    run("--layer", "all")
    # Bruno asks to be forgotten, and is.
    run("erase", "--subject", "bruno", "--request", "R-1", "--mode", "immediate")
    # The second day, classifiers, and a reviewer's question.
    for seed in range(30, 36):
        kind = ("apple", "kiwi", "lemon")[seed % 3]
        put(landing, f"subject=dora/label={kind}/{seed}.jpg", photo(seed, kind=kind))
    run("--layer", "all")
    run("train")
    run("audit", "--subject", "anna")
    # The third day: most photos are blank, and silver's gate blocks the chunk, which stays staged.
    for seed in range(40, 43):
        put(landing, f"subject=anna/label=kiwi/{seed}.jpg", photo(seed, kind="kiwi"))
    for seed in range(1, 9):
        put(landing, f"lemon/blank-{seed}.png", blank(seed))
    run("--layer", "all", code=3)


def pack(root: Path, archive: Path) -> None:
    """Everything under `root` as one .tar.gz without owners; the files keep their times."""
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            if path.name.endswith((".lock", ".crc")) and "_delta_log" not in path.parts:
                continue
            entry = tar.gettarinfo(path, path.relative_to(root).as_posix())
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            if path.is_file():
                with path.open("rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)


if __name__ == "__main__":
    checkout, archive = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        make(checkout.resolve(), Path(folder))
        pack(Path(folder), archive)
