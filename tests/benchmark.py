"""Photos a second: what this machine can do, what the layers do, what a notebook does, on the same photos.

    python tests/benchmark.py [--photos FOLDER] [--sizes N1 N2] [--extractor NAME] [--weights W]
                              [--only roofline,silver,all,notebook] [--rounds N] [--json FILE]

The peers:

roofline          bare Python processes, one a core, without Spark: photos in memory are decoded, embedded
                  and measured by the product's own functions. No layer can be faster.
roofline, guarded  the same, with each process' photos decoded in a child, as silver has them: what it costs
                  that a decoder may crash.
silver            the silver layer: bronze's gate, staging, silver's gate and publication, over a lake
                  that has bronze's photos and the converted model.
landing to gold   all three layers on a new lake, from the making of its tables to the last journal entry,
                  with the model's conversion.
notebook form     Keras `predict` in a pandas UDF over `binaryFile`, to Parquet (`notebook_form.py`).

How to read it:

- A rate is marginal, (n2 - n1) / (t2 - t1): what one more photo costs. What a run costs however few
  photos it has stands beside it as the fixed part, t1 - n1 / rate. The clock starts when Spark is up
  (roofline: when each process holds its photos and its model); how long that takes is listed apart.
- Each measurement has processes and a lake of its own. With `--rounds` they are repeated, peer by peer in
  turns, and medians are taken.
- No rate is printed where noise may be as large as what is measured, as with sizes too near one another,
  a rate above the roofline, or a busy machine: the reason stands below. `others` is the share of the
  machine's processor time that other programs had meanwhile; above a few percent no ratio is sure.
- In the table of parts a photo's milliseconds are those of the whole machine: they add up to 1000 / rate.
  An interval of the layers ends where the lake's own journals say so, and begins where the one before ends.
- Photos: those of the folder that decode, each once, in an order drawn once; where more are wanted than
  there are, further ones are mirrored and cropped by a few pixels and encoded again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bronze.samples import write_samples
from conf.errors import BadInput, FruitLakeError
from conf.settings import Settings
from silver import extractors, flatbuffer, pixels
from silver.decoder import Decoder
from silver.runtime import interpreter

SHARED = Path(__file__).resolve().parents[2] / "shared"
MOBILENET = SHARED / "weights" / "mobilenet_v2_imagenet.weights.h5"
TITLES = {
    "roofline": "roofline",
    "guarded": "roofline, guarded",
    "silver": "silver",
    "all": "landing to gold",
    "notebook": "notebook form",
}
SIZES = (1142, 4568)
SAMPLES = 180
WANTED = {"guarded": 0.95, "silver": 0.7}
"""Of the roofline."""

BATCH = 64
"""Photos that a guarded process hands to its decoder, as Spark hands them to a worker."""

QUALITY = 90
LOOK_EVERY = 0.5
OTHERS_MATTER, OTHERS_SPOIL = 0.1, 0.25
"""Shares of the machine from which on other programs are mentioned, and no rate is given."""

ROOF_IS_SURE_TO = 1.05

LIBRARIES = (
    *("pyspark", "delta-spark", "great-expectations", "tensorflow", "keras", "ai-edge-litert"),
    *("numpy", "pandas", "pyarrow", "pillow"),
)
INTERVALS = {
    "bronze planned": "listing",
    "bronze staged": "staging",
    "bronze published": "publication",
    "extractor": "model",
    "bronze judged": "bronze's gate",
    "silver planned": "planning",
    "silver staged": "staging",
    "silver judged": "silver's gate",
    "silver published": "publication",
    "gold planned": "moments and PCA",
    "gold staged": "staging",
    "gold judged": "gold's gate",
    "gold published": "publication",
}
"""What a layer did until the event that its interval is known by."""

GATES = ("silver: bronze's gate", "silver: silver's gate")
ALL_GATES = (*GATES, "gold: gold's gate")
GATES_WANTED = 0.15
"""Of what a photo more costs from landing to gold."""

STAGING = "silver: staging"
SILVER = ("silver",)


# What is measured


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

    @property
    def settings(self) -> Settings:
        """The local settings, whatever the environment says, for these folders and this model."""
        own = {
            "paths.landing": self.photos,
            "paths.lake": f"{self.place}/lake",
            "model.extractor": self.extractor,
            "model.weights": self.weights,
            "spark.master": f"local[{self.cores}]",
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
    content = Path(task.flatbuffer).read_bytes()
    model = interpreter(content, flatbuffer.weights_id(content))
    limits = pixels.Limits(**task.settings.photos.model_dump())
    photos = [path.read_bytes() for path in paths]
    if task.peer == "guarded":
        guard = Decoder(pixels.decode, size=model.size, limits=limits)
        batches = (photos[start : start + BATCH] for start in range(0, len(photos), BATCH))
        decoded = (rgb for batch in batches for rgb in guard.decoded(batch))
    else:
        decoded = (pixels.decode(photo, size=model.size, limits=limits) for photo in photos)
    spent = {"decoding": 0.0, "embedding": 0.0, "measuring": 0.0}
    end.send("loaded")
    end.recv()
    began = time.perf_counter()
    for rgb in decoded:
        at_hand = time.perf_counter()
        model.embed(rgb)
        embedded = time.perf_counter()
        grey = pixels.luminance(rgb)
        pixels.brightness(grey), pixels.sharpness(grey), pixels.dhash(grey)
        spent["decoding"] += at_hand - began
        spent["embedding"] += embedded - at_hand
        began = time.perf_counter()
        spent["measuring"] += began - embedded
    end.send(spent)


def layers(task: Task, *, counted: Sequence[str]) -> Measured:
    """Runs the layers as the command line does. For silver alone, bronze and the model come before."""
    from lake import session
    from run import run_layers, writing
    from silver.model import broadcast_model

    settings = task.settings
    session.start(settings.spark)  # `writing` takes the session that there is
    ready_at, began = time.time(), time.perf_counter()
    with writing(settings, Console()) as context:
        parts = {"opening the lake": time.perf_counter() - began}
        if counted == SILVER:
            run_layers(context, ("bronze",))
            broadcast_model(context.lake, settings.model, photos=settings.photos)
            began, parts = time.perf_counter(), {}
        last = run_layers(context, counted)[-1]
        seconds = time.perf_counter() - began
        parts |= _intervals(context.lake, counted)
    parts["between layers"] = seconds - sum(parts.values())
    return Measured(seconds, ready_at, last.counts.get("kept", 0), parts)


def _intervals(lake: Any, counted: Sequence[str]) -> dict[str, float]:
    """Seconds between the events of the lake's journals, by what was done until the later one."""
    from lake import catalog

    events = [(row.at, f"{row.layer} {row.state}") for row in lake.read(catalog.CHUNKS).collect()]
    models = lake.read(catalog.MODELS).where("kind = 'extractor'").collect()
    events += [(row.created_at, "extractor") for row in models]
    parts: dict[str, float] = defaultdict(float)
    for run in lake.read(catalog.RUNS).orderBy("started_at").collect():
        if run.layer not in counted:
            continue
        before = run.started_at
        within = [event for event in events if run.started_at <= event[0] <= run.finished_at]
        for at, name in (*sorted(within), (run.finished_at, "ending")):
            parts[f"{run.layer}: {INTERVALS.get(name, name)}"] += (at - before).total_seconds()
            before = at
    return dict(parts)


def notebook(task: Task) -> Measured:
    """The notebook form, from the making of its model on the driver to its Parquet files."""
    import notebook_form

    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = notebook_form.session(task.cores)
    ready_at, began = time.time(), time.perf_counter()
    output = Path(task.place, "features")
    notebook_form.extract(
        spark, Path(task.photos), output, extractor=task.extractor, weights=task.weights
    )
    seconds = time.perf_counter() - began
    kept = spark.read.parquet(str(output)).count()
    spark.stop()
    return Measured(seconds, ready_at, kept, {})


def measure(task: Task) -> Measured:
    """Within the process of one measurement."""
    if task.peer in ("roofline", "guarded"):
        return roofline(task)
    if task.peer == "notebook":
        return notebook(task)
    if task.peer == "silver":
        return layers(task, counted=SILVER)
    return layers(task, counted=("bronze", *SILVER, "gold"))


# A process for each


class Failed(FruitLakeError):
    """A peer's process ended without a result; the message has the end of what it printed."""


def measured(task: Task) -> Measured:
    """Runs a measurement in a process of its own, and watches it. Raises Failed."""
    place = Path(task.place)
    result, log = place / "result.json", place / "log"
    command = [sys.executable, str(Path(__file__).resolve()), "--task", json.dumps(asdict(task))]
    began = time.time()
    code, watch = watched(command, place=place, log=log)
    if code or not result.exists():
        raise Failed(f"{TITLES[task.peer]} ended with code {code}:\n{end_of(log)}")
    found = Measured(**json.loads(result.read_text()))
    found.ready = found.ready_at - began
    found.memory, found.others = dict(watch.peak), watch.others
    return found


def watched(command: Sequence[str], *, place: Path, log: Path) -> tuple[int, Watch]:
    """Runs a command in the folder `place` to its end: its exit code, and what was seen meanwhile."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=place, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
    watch = Watch(process.pid)
    try:
        while process.poll() is None:
            watch.look()
            time.sleep(LOOK_EVERY)
    finally:
        process.kill()  # nothing, once it has ended; the JVM ends with its Python
        process.wait()
    return process.returncode, watch


def end_of(log: Path) -> str:
    """The last lines of what a process printed."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-25:])


class Watch:
    """A process and its descendants, seen from outside through /proc; elsewhere nothing is known.

    `peak` is resident memory in bytes at its highest, by kind: the JVM, the driver's Python, all other
    Pythons together, which are the workers and their decoders (pages that they share count in each);
    `a worker` is the largest of these.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak: dict[str, int] = {}
        self._ticks: dict[int, int] = {}
        self._first = self._last = _machine_ticks()

    def look(self) -> None:
        """Takes one sample."""
        if self._first is None:
            return
        seen = dict(_processes())
        now: dict[str, int] = defaultdict(int)
        for pid, (name, _, ticks, resident) in seen.items():
            if not self._is_ours(pid, seen):
                continue
            self._ticks[pid] = ticks
            kind = "JVM" if name == "java" else "driver" if pid == self.pid else "workers"
            if kind == "workers":
                # Between fork and exec a child of Java's has its memory, and the name of a thread.
                if not name.startswith("python"):
                    continue
                now["a worker"] = max(now["a worker"], resident)
            now[kind] += resident
        for kind, resident in now.items():
            self.peak[kind] = max(resident, self.peak.get(kind, 0))
        self._last = _machine_ticks()

    def _is_ours(self, pid: int, seen: Mapping[int, tuple[str, int, int, int]]) -> bool:
        while pid in seen:
            if pid == self.pid:
                return True
            pid = seen[pid][1]
        return False

    @property
    def others(self) -> float | None:
        """Share of the machine's processor time that went to other programs, or to other machines."""
        if self._first is None or self._last is None or self._last == self._first:
            return None
        busy, total = (b - a for a, b in zip(self._first, self._last, strict=True))
        return max(0.0, busy - sum(self._ticks.values())) / total


def _machine_ticks() -> tuple[int, int] | None:
    """Processor time of the whole machine so far: busy, and busy or idle. None without /proc."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0]
    except OSError:
        return None
    user, nice, system, idle, wait, interrupt, soft, stolen = map(int, first.split()[1:9])
    busy = user + nice + system + interrupt + soft + stolen
    return busy, busy + idle + wait


def _processes() -> Iterable[tuple[int, tuple[str, int, int, int]]]:
    """Every process: its number, and its name, its parent, its ticks and its resident bytes."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            start, _, rest = (folder / "stat").read_text().rpartition(")")
        except OSError:  # ended meanwhile
            continue
        values = rest.split()
        ticks, pages = int(values[11]) + int(values[12]), int(values[21])
        name = start.partition("(")[2]
        yield int(folder.name), (name, int(values[1]), ticks, pages * os.sysconf("SC_PAGE_SIZE"))


# The photos


def write_photos(source: Path, sizes: Sequence[int], *, into: Path, pool: Any) -> list[Path]:
    """A folder of photos for each size, of which a larger one holds all of a smaller one.

    Raises BadInput where the source has no photo that decodes.
    """
    found = sorted(path for path in source.rglob("*") if path.is_file())
    random.Random(0).shuffle(found)
    # Some more than wanted, for those that don't decode.
    candidates = found[: max(sizes) * 11 // 10 + 10]
    by_hash = dict(zip(pool.map(_hash_if_photo, candidates, chunksize=32), candidates, strict=True))
    by_hash.pop(None, None)
    originals = list(by_hash.values())
    if not originals:
        raise BadInput(f"{source} holds no photo that decodes; name another folder with --photos.")
    count = len(originals)
    jobs = [
        (originals[i % count], i // count, into / "all" / _label(originals[i % count], source), i)
        for i in range(max(sizes))
    ]
    written = list(pool.map(_write_variant, jobs, chunksize=32))
    folders = []
    for size in sizes:
        folder = into / str(size)
        for path in written[:size]:
            linked = folder / path.relative_to(into / "all")
            linked.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, linked)
        folders.append(folder)
    return folders


def _label(photo: Path, source: Path) -> str:
    """The name of the folder, or what stands behind its `label=`."""
    return "photos" if photo.parent == source else photo.parent.name.rpartition("=")[2]


def _hash_if_photo(path: Path) -> str | None:
    """Repeated photos have one hash; None for what silver would refuse to decode."""
    content = path.read_bytes()
    limits = pixels.Limits(**Settings.load("local", environment={}).photos.model_dump())
    try:
        pixels.decode(content, size=224, limits=limits)
    except pixels.RefusedPhoto:
        return None
    return hashlib.sha256(content).hexdigest()


def _write_variant(job: tuple[Path, int, Path, int]) -> Path:
    """Variant 0 is the original; the others are cropped at the left by their number, at the top by half."""
    original, number, folder, place = job
    content = original.read_bytes()
    target = folder / f"{place:06d}{original.suffix if number == 0 else '.jpg'}"
    folder.mkdir(parents=True, exist_ok=True)
    if number:
        image = Image.open(BytesIO(content)).convert("RGB")
        left, top = number % (image.width // 2), number // 2 % (image.height // 2)
        image = image.crop((left, top, image.width, image.height))
        if number % 2:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        made = BytesIO()
        image.save(made, "JPEG", quality=QUALITY)
        content = made.getvalue()
    target.write_bytes(content)
    return target


def _write_flatbuffer(extractor: str, weights: str, target: Path) -> None:
    chosen = extractors.extractor(extractor)
    target.write_bytes(flatbuffer.convert(chosen.build(chosen.source(weights))))


# Rates


@dataclass(frozen=True)
class Rate:
    """A peer over all rounds: median seconds at each size; no rate where there is a `doubt`."""

    title: str
    seconds: tuple[float, float]
    per_second: float | None
    fixed: float | None
    doubt: str | None


def marginal(title: str, sizes: Sequence[int], rounds: Sequence[Sequence[float]]) -> Rate:
    """The rate between two sizes, from the seconds at each, round by round."""
    small, large = map(statistics.median, rounds)
    more = large - small
    doubt = _doubt(small, large, spread=max(max(each) - min(each) for each in rounds))
    rate = None if more <= 0 else (sizes[1] - sizes[0]) / more
    fixed = None if rate is None else small - sizes[0] / rate
    if fixed is not None and fixed < -large / 10:
        doubt = f"a photo more cost more than a photo did before (fixed part {fixed:.1f} s)"
    return Rate(title, (small, large), None if doubt else rate, None if doubt else fixed, doubt)


def _doubt(small: float, large: float, *, spread: float) -> str | None:
    more = large - small
    if more <= 0:
        return f"more photos took no longer ({small:.1f} s, {large:.1f} s)"
    if spread > more / 2:
        return f"rounds differ by {spread:.1f} s, the two sizes by {more:.1f} s"
    if more < small / 5:
        return f"the sizes differ by {more:.1f} s only, beside {small:.1f} s; take larger ones"
    return None


Results = Mapping[str, Sequence[Sequence[Measured]]]
"""By peer, by size, by round."""


def rates(results: Results, sizes: Sequence[int]) -> dict[str, Rate]:
    """Every peer's rate; silver's also without its gates, and that of its staging alone."""
    found = {}
    for peer, by_size in results.items():
        seconds = [[each.seconds for each in rounds] for rounds in by_size]
        found[peer] = marginal(TITLES[peer], sizes, seconds)
        if peer == "silver":
            bare = [
                [each.seconds - sum(each.parts.get(name, 0.0) for name in GATES) for each in rounds]
                for rounds in by_size
            ]
            found["silver without gates"] = marginal("  without its gates", sizes, bare)
            staging = [[each.parts.get(STAGING, 0.0) for each in rounds] for rounds in by_size]
            found["silver staging"] = marginal("  its staging alone", sizes, staging)
    roof = found["roofline"].per_second if "roofline" in found else None
    busy = {name: _others(results[name.split()[0]]) or 0.0 for name in found}
    return {name: _believed(rate, roof=roof, others=busy[name]) for name, rate in found.items()}


def _believed(rate: Rate, *, roof: float | None, others: float) -> Rate:
    """The same without its numbers where something else than the peer has made them."""
    doubt = rate.doubt
    if others > OTHERS_SPOIL:
        doubt = f"other programs took {others:.0%} of the machine meanwhile"
    elif roof and rate.per_second and rate.per_second > ROOF_IS_SURE_TO * roof:
        doubt = "it came out above the roofline, which noise alone can do"
    return replace(rate, per_second=None, fixed=None, doubt=doubt) if doubt else rate


# On screen


def show(console: Console, results: Results, sizes: Sequence[int]) -> None:
    """The tables, and what is doubtful about them."""
    found = rates(results, sizes)
    console.print(rates_table(found, sizes))
    console.print(parts_table(results, sizes))
    console.print(processes_table(results))
    for rate in found.values():
        if rate.doubt:
            console.print(f"{rate.title.strip()}: no rate, {rate.doubt}.")
    for peer, by_size in results.items():
        for size, rounds in zip(sizes, by_size, strict=True):
            if any(each.kept != size for each in rounds):
                kept = ", ".join(f"{each.kept:,}" for each in rounds)
                console.print(f"{TITLES[peer]} kept {kept} of {size:,} photos: not the same work.")
    others = max((_others(by_size) or 0.0 for by_size in results.values()), default=0.0)
    if others > OTHERS_MATTER:
        told = "no ratio is sure; repeat it on a quiet machine"
        console.print(f"Other programs took up to {others:.0%} of the machine: {told}.")
    roof = found.get("roofline")
    for name, wanted in WANTED.items():
        rate = found.get(name)
        if rate and roof and rate.per_second and roof.per_second:
            share = rate.per_second / roof.per_second
            console.print(f"{name} reaches {share:.0%} of the roofline; {wanted:.0%} is wanted.")
    whole = found.get("all")
    if whole and whole.per_second:
        console.print(gates_line(results["all"], sizes, whole=1 / whole.per_second))


def gates_line(by_size: Sequence[Sequence[Measured]], sizes: Sequence[int], *, whole: float) -> str:
    """What the gates take of the `whole` seconds that a photo more costs, and what they take anyway."""
    small, large = (
        statistics.median(sum(each.parts.get(name, 0.0) for name in ALL_GATES) for each in rounds)
        for rounds in by_size
    )
    more = (large - small) / (sizes[1] - sizes[0])
    return (
        f"The gates take {1000 * more:.2f} of {1000 * whole:.2f} ms that a photo more costs from landing to "
        f"gold, {more / whole:.0%}; under {GATES_WANTED:.0%} is wanted. However few photos there are, they "
        f"take {small - more * sizes[0]:.1f} s."
    )


def rates_table(found: Mapping[str, Rate], sizes: Sequence[int]) -> Table:
    """One row a peer."""
    table = Table(title="rates: (n2 - n1) / (t2 - t1)")
    table.add_column("peer", no_wrap=True)
    for name in (
        "photos/s",
        "fixed s",
        *(f"s at {n:,}" for n in sizes),
        "of roofline",
        "× notebook",
    ):
        table.add_column(name, justify="right")
    roof, form = (getattr(found.get(n), "per_second", None) for n in ("roofline", "notebook"))
    for rate in found.values():
        mine = rate.per_second
        table.add_row(
            rate.title,
            f"{mine:,.1f}" if mine else "–",
            f"{rate.fixed:,.1f}" if rate.fixed is not None else "–",
            *(f"{seconds:,.1f}" for seconds in rate.seconds),
            f"{mine / roof:.0%}" if mine and roof else "–",
            f"{mine / form:.2f}" if mine and form else "–",
        )
    return table


def parts_table(results: Results, sizes: Sequence[int]) -> Table:
    """Where the seconds go, of those peers that tell."""
    table = Table(title="parts")
    table.add_column("peer", no_wrap=True)
    table.add_column("part", no_wrap=True)
    for name in (*(f"s at {n:,}" for n in sizes), "ms a photo more"):
        table.add_column(name, justify="right")
    for peer, by_size in results.items():
        for name in by_size[0][0].parts:
            small, large = (
                statistics.median(each.parts.get(name, 0.0) for each in rounds)
                for rounds in by_size
            )
            each = 1000 * (large - small) / (sizes[1] - sizes[0])
            table.add_row(TITLES[peer], name, f"{small:.2f}", f"{large:.2f}", f"{each:.2f}")
        table.add_section()
    return table


def processes_table(results: Results) -> Table:
    """Start, memory and neighbours: the worst of all measurements of a peer."""
    table = Table(title="processes: the highest of all measurements")
    table.add_column("peer", no_wrap=True)
    for name in ("s to start", "JVM MB", "driver MB", "workers MB", "others"):
        table.add_column(name, justify="right")
    for peer, by_size in results.items():
        every = [each for rounds in by_size for each in rounds]
        others = _others(by_size)
        memory = (
            max(each.memory.get(kind, 0) for each in every) for kind in ("JVM", "driver", "workers")
        )
        table.add_row(
            TITLES[peer],
            f"{max(each.ready for each in every):.1f}",
            *(f"{peak / 1e6:,.0f}" if peak else "–" for peak in memory),
            "–" if others is None else f"{others:.0%}",
            style="yellow" if others and others > OTHERS_MATTER else None,
        )
    return table


def _others(by_size: Sequence[Sequence[Measured]]) -> float | None:
    """The highest share that other programs took while this peer ran; None where it isn't known."""
    known = (each.others for rounds in by_size for each in rounds if each.others is not None)
    return max(known, default=None)


# The command


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--photos", type=Path, metavar="FOLDER", help="else the shared ones, or samples"
    )
    parser.add_argument("--sizes", type=int, nargs=2, default=SIZES, metavar=("N1", "N2"))
    parser.add_argument("--extractor", default="mobilenet_v2", metavar="NAME")
    parser.add_argument("--weights", metavar="W", help="imagenet, a weights file, or random:SEED")
    parser.add_argument("--only", metavar="PEERS", help=f"some of {','.join(TITLES)}")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="medians of so many")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    words = parser.parse_args(argv)
    if not 0 < words.sizes[0] < words.sizes[1]:
        parser.error("--sizes: two numbers of photos, the smaller first")
    if words.rounds < 1:
        parser.error("--rounds: at least 1")
    words.peers = words.only.split(",") if words.only else list(TITLES)
    if unknown := [peer for peer in words.peers if peer not in TITLES]:
        parser.error(f"--only: {', '.join(unknown)} is none of {', '.join(TITLES)}")
    return words


def choose(words: argparse.Namespace, console: Console) -> None:
    """Weights and peers that fit the extractor; weights as an absolute path. Raises BadInput."""
    from notebook_form import APPLICATIONS

    Settings.load("local", environment={}, overrides=words.set)
    if words.weights is None:
        has_own = words.extractor == "mobilenet_v2" and MOBILENET.exists()
        words.weights = str(MOBILENET) if has_own else "random:1"
    elif Path(words.weights).exists():
        words.weights = str(Path(words.weights).resolve())
    extractors.extractor(words.extractor).source(words.weights)
    if "notebook" in words.peers and words.extractor not in APPLICATIONS:
        words.peers.remove("notebook")
        told = f"keras.applications has no {words.extractor}, hence no notebook form"
        if not words.peers:
            raise BadInput(f"--only notebook: {told}; name another extractor.")
        console.print(f"{told}.")


def run_all(
    words: argparse.Namespace, work: Path, console: Console
) -> dict[str, list[list[Measured]]]:
    """Every peer at every size in every round. A peer that fails is left out, and the others go on."""
    cores = _cores()
    model = work / "model.tflite"
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
        source = words.photos or SHARED / "photos"
        if not source.is_dir():
            if words.photos:
                raise BadInput(f"--photos {source}: there is no such folder.")
            source = work / "samples"
            write_samples(source, SAMPLES)
        folders = write_photos(source, words.sizes, into=work / "photos", pool=pool)
        pool.submit(_write_flatbuffer, words.extractor, words.weights, model).result()
    results: dict[str, list[list[Measured]]] = {peer: [[], []] for peer in words.peers}
    for number in range(1, words.rounds + 1):
        for peer in list(results):
            try:
                for place, folder in enumerate(folders):
                    with tempfile.TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as lake:
                        shared = (str(model), words.extractor, words.weights, cores, words.set)
                        done = measured(Task(peer, str(folder), lake, *shared))
                    results[peer][place].append(done)
                    told = f"round {number}: {TITLES[peer]}, {folder.name} photos"
                    console.print(f"{told}: {done.seconds:,.1f} s")
            except Failed as error:
                console.print(str(error), markup=False)
                del results[peer]
    return results


def _cores() -> int:
    """As many as Spark's local[*] takes."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _load() -> list[float]:
    return [round(each, 2) for each in os.getloadavg()]


def facts(words: argparse.Namespace) -> dict[str, Any]:
    """What the numbers hang on."""
    from lake.journal import code_revision

    return {
        "cores": _cores(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
        "code_revision": code_revision(),
        "extractor": words.extractor,
        "weights": Path(words.weights).name,
        "settings": words.set,
        "sizes": list(words.sizes),
        "rounds": words.rounds,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 where a peer failed."""
    words = parse(argv)
    if words.task:
        task = Task(**json.loads(words.task))
        Path(task.place, "result.json").write_text(json.dumps(asdict(measure(task))))
        return 0
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    load = _load()
    try:
        choose(words, console)
        told = f"{words.extractor} with {Path(words.weights).name} on {_cores()} cores"
        console.print(f"{told}, load {load[0]} at the start.")
        results = run_all(words, work, console)
    except FruitLakeError as error:
        console.print(f"error: {error}", markup=False)
        return error.exit_code
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if results:
        show(console, results, words.sizes)
    if words.json:
        numbers = {
            "facts": facts(words) | {"load_before": load, "load_after": _load()},
            "rates": {name: asdict(rate) for name, rate in rates(results, words.sizes).items()},
            "measured": {
                peer: [[asdict(each) for each in rounds] for rounds in by_size]
                for peer, by_size in results.items()
            },
        }
        words.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0 if len(results) == len(words.peers) else 1


if __name__ == "__main__":
    sys.exit(main())
