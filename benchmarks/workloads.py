"""What is measured: each peer, within the process of one measurement.

    python -m benchmarks.workloads TASK

leaves `result.json` in the task's folder; `measured` runs that, and watches it.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from benchmarks.journal_intervals import events_of, intervals, layers_since
from benchmarks.process_watch import end_of, watched
from conf.errors import FruitLakeError
from conf.settings import Settings
from lake.enums import PixelWay, Precision
from lake.isolated_work import AHEAD
from lake.model_identity import file_sha256
from silver import model_files, pixels, resizing
from silver.decoder_process import Decoder
from silver.fingerprints import Fingerprint
from silver.inference_runtime import compiled_model
from silver.pixels import DecodedPhoto

TITLES = {
    "roofline": "roofline",
    "guarded": "roofline, guarded",
    "silver": "silver",
    "all": "landing to gold",
    "chunked": "landing to gold, chunked",
    "notebook": "notebook form",
    "daft": "Daft to Parquet",
    "large": "12 megapixels",
    "large_full": "12 megapixels, in full",
    "listing": "listing",
    "one_executor": "silver, 1 executor",
    "two_executors": "silver, 2 executors",
}
BARE = ("roofline", "guarded", "large", "large_full")
"""Peers without Spark."""

ROUGH = (Precision.BFLOAT16, Precision.INT8)
"""The precisions of further peers: of `roofline`, `silver` and `all`, with the precision after their name."""

TITLES |= {
    f"{peer}_{precision}": f"{TITLES[peer]}, {precision}"
    for precision in ROUGH
    for peer in ("roofline", "silver", "all")
}

EXECUTORS = {"one_executor": 1, "two_executors": 2}
"""Peers that run silver in so many executor processes of one core each, apart from the driver's."""

EXECUTOR_MB = 2048

CHUNKS = 4
"""Chunks that the photos of `chunked` go through in, where `all` has them in one."""

BATCH = 64
"""Photos that a guarded process hands to its decoder, as Spark hands them to a worker."""

SILVER = ("silver",)
LAYERS = ("bronze", *SILVER, "gold")


def precision_of(peer: str) -> tuple[str, Precision]:
    """The peer of which this one is the form in a precision, and that precision: float32, or one of ROUGH."""
    bare, _, last = peer.partition("_")
    return (bare, Precision(last)) if last in ROUGH else (peer, Precision.FLOAT32)


@dataclass(frozen=True)
class Task:
    """One measurement, as its own process gets it. `place` is an empty folder to work in."""

    peer: str
    photos: str
    place: str
    flatbuffer: str
    extractor: str
    weights: str
    cores: int
    overrides: Sequence[str] = ()
    daft_python: str = ""

    @property
    def settings(self) -> Settings:
        """The local settings, whatever the environment says, for these folders and this model."""
        master = f"local[{self.cores}]"
        if executors := EXECUTORS.get(self.peer):
            master = f"local-cluster[{executors},1,{EXECUTOR_MB}]"
        own = {
            "paths.landing": self.photos,
            "paths.lake": f"{self.place}/lake",
            "model.extractor": self.extractor,
            "model.weights": self.weights,
            "spark.master": master,
        }
        overrides = [f"{key}={value}" for key, value in own.items()]
        return Settings.load("local", environment={}, overrides=[*overrides, *self.overrides])


@dataclass
class Measured:
    """What came of it. Seconds; `kept` photos, `parts` of the seconds by name, peak `memory` in bytes.

    `ready` is the time from the start of the process to Spark, or to loaded workers.
    """

    seconds: float
    ready_at: float
    kept: int
    parts: dict[str, float]
    ready: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)
    others: float | None = None


def roofline(task: Task) -> Measured:
    """Decodes and embeds from memory in bare processes, one a core, of one thread each."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    paths = sorted(path for path in Path(task.photos).rglob("*") if path.is_file())
    spawn = multiprocessing.get_context("spawn")
    ends = []
    for number in range(task.cores):
        ours, theirs = spawn.Pipe()
        share = (theirs, paths[number :: task.cores], task)
        spawn.Process(target=_embed_share, args=share, daemon=True).start()
        theirs.close()  # so that a process that dies is noticed here
        ends.append(ours)
    for end in ends:
        end.recv()
    ready_at, began = time.time(), time.perf_counter()
    for end in ends:
        end.send("go")
    spent = [end.recv() for end in ends]
    seconds = time.perf_counter() - began
    parts = {name: sum(each[name] for each in spent) / task.cores for name in spent[0]}
    parts["waiting for the last"] = seconds - sum(parts.values())
    return Measured(seconds, ready_at, len(paths), parts)


def _embed_share(end: Connection, paths: Sequence[Path], task: Task) -> None:
    """One process of the roofline: what silver's workers do with a photo, and the seconds of each step."""
    precision = Precision(task.settings.model.precision)
    content = Path(task.flatbuffer).with_suffix(model_files.ending(precision)).read_bytes()
    model = compiled_model(content, file_sha256(content), precision=precision)
    limits = pixels.Limits(**task.settings.photos.model_dump())
    photos = [path.read_bytes() for path in paths]
    if task.peer == "guarded":
        guard = Decoder(pixels.decode, size=model.size, limits=limits, way=PixelWay.BICUBIC)
        decoded = (photo for batch in batches(photos, BATCH) for photo in guard.decoded(batch))
    else:
        decode = decode_in_full if task.peer == "large_full" else pixels.decode
        decoded = (
            photo
            for batch in batches(photos, AHEAD)
            for photo in [
                decode(each, size=model.size, limits=limits, way=PixelWay.BICUBIC) for each in batch
            ]
        )
    spent = {"decoding": 0.0, "embedding": 0.0}
    end.send("loaded")
    end.recv()
    began = time.perf_counter()
    for photo in decoded:
        at_hand = time.perf_counter()
        model.embed(photo.pixels)
        spent["decoding"] += at_hand - began
        began = time.perf_counter()
        spent["embedding"] += began - at_hand
    end.send(spent)


def batches(photos: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """The photos, `size` at a time: one after another, decoding and inference find a cold cache each time."""
    return (photos[start : start + size] for start in range(0, len(photos), size))


def decode_in_full(
    content: bytes, *, size: int, limits: pixels.Limits, way: PixelWay
) -> DecodedPhoto:
    """As is usual: every pixel is decoded, and all of them are resized by Pillow. Limits and way are not
    looked at."""
    image = Image.open(BytesIO(content)).convert("RGB")
    found = np.asarray(image.resize((size, size), resizing.FILTER))
    return DecodedPhoto(found, Fingerprint.of(found))


def layers(task: Task, *, counted: Sequence[str]) -> Measured:
    """Runs the layers as the command line does. For silver alone, bronze and the model come before."""
    from cli.lake_access import writing
    from lake import spark_session
    from lake.run_journal import begun
    from run import run_layers
    from silver.model_broadcast import model_of

    settings = task.settings
    # The lake of `writing` takes the session that there is, when it first needs one.
    spark_session.start(settings.spark, lake=settings.paths.lake)
    ready_at, began = time.time(), time.perf_counter()
    with writing(settings, Console()) as context:
        parts = {"opening the lake": time.perf_counter() - began}
        if counted == SILVER:
            run_layers(context, ("bronze",))
            model_of(context.lake, settings.model, photos=settings.photos)
            began, parts = time.perf_counter(), {}
        last = run_layers(context, counted)[-1]
        seconds = time.perf_counter() - began
        run = layers_since(settings.paths.lake, begun(context.lake.run.run_id))
        run = [row for row in run if row["layer"] in counted]
        parts |= intervals(run, events_of(settings.paths.lake))
    parts["between layers"] = seconds - sum(parts.values())
    return Measured(seconds, ready_at, last.counts.get("kept", 0), parts)


def listing(task: Task) -> Measured:
    """What the driver does by itself with each landing object of a run: lists it, hashes its path, and asks
    bronze/objects whether it is new."""
    from bronze import bronze_layer, new_objects
    from bronze.landing import Landing
    from cli.lake_access import writing

    settings = task.settings
    with writing(settings, Console()) as context:
        ready_at, began = time.time(), time.perf_counter()
        landing = Landing(task.photos)
        with bronze_layer.listed(context, landing) as found:
            groups = new_objects.new_groups(context, landing, found, tombstones=frozenset())
            new = sum(map(len, groups))
        seconds = time.perf_counter() - began
    return Measured(seconds, ready_at, new, {})


def notebook(task: Task) -> Measured:
    """The notebook form, from the making of its model on the driver to its Parquet files."""
    from benchmarks import notebook_baseline

    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = notebook_baseline.session(task.cores)
    ready_at, began = time.time(), time.perf_counter()
    output = Path(task.place, "features")
    notebook_baseline.extract(
        spark, Path(task.photos), output, extractor=task.extractor, weights=task.weights
    )
    seconds = time.perf_counter() - began
    kept = spark.read.parquet(str(output)).count()
    spark.stop()
    return Measured(seconds, ready_at, kept, {})


def measure(task: Task) -> Measured:
    """Within the process of one measurement."""
    peer, precision = precision_of(task.peer)
    if precision in ROUGH:
        overrides = [*task.overrides, f"model.precision={precision}"]
        task = replace(task, peer=peer, overrides=overrides)
    if task.peer in BARE:
        return roofline(task)
    if task.peer == "notebook":
        return notebook(task)
    if task.peer == "listing":
        return listing(task)
    if task.peer == "silver" or task.peer in EXECUTORS:
        return layers(task, counted=SILVER)
    if task.peer == "chunked":
        each = math.ceil(sum(path.is_file() for path in Path(task.photos).rglob("*")) / CHUNKS)
        bound = f"chunks.max_photos={each}"
        task = replace(task, overrides=[*task.overrides, bound])
    return layers(task, counted=LAYERS)


class Failed(FruitLakeError):
    """A peer's process ended without a result; the message has the end of what it printed."""


def measured(task: Task) -> Measured:
    """Runs a measurement in a process of its own, and watches it. Raises Failed."""
    place = Path(task.place)
    result, log = place / "result.json", place / "log"
    command = [sys.executable, "-m", "benchmarks.workloads", json.dumps(asdict(task))]
    if task.peer == "daft":
        script = Path(__file__).with_name("daft_baseline.py")
        words = [task.photos, place / "features", task.flatbuffer, task.cores, result]
        command = [task.daft_python, str(script), *map(str, words)]
    began = time.time()
    code, watch = watched(command, place=place, log=log)
    if code or not result.exists():
        raise Failed(f"{TITLES[task.peer]} ended with code {code}:\n{end_of(log)}")
    found = Measured(**json.loads(result.read_text()))
    found.ready = found.ready_at - began
    found.memory, found.others = dict(watch.peak), watch.others
    return found


if __name__ == "__main__":
    given = Task(**json.loads(sys.argv[1]))
    Path(given.place, "result.json").write_text(json.dumps(asdict(measure(given))))
