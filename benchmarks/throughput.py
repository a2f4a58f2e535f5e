"""Photos a second: what this machine can do, what the layers do, what a notebook does, on the same photos.

    python benchmarks/throughput.py [--photos FOLDER] [--sizes N1 N2] [--extractor NAME] [--weights W]
                              [--only roofline,silver,all,…] [--rounds N] [--json FILE]

The peers:

roofline          bare Python processes, one a core, without Spark: photos in memory are decoded, embedded
                  and measured by the product's own functions. No layer can be faster.
guarded           the same, with each process' photos decoded in a child, as silver has them: what it costs
                  that a decoder may crash.
silver            the silver layer: bronze's gate, staging, silver's gate and publication, over a lake
                  that has bronze's photos and the converted model.
all               landing to gold: all three layers on a new lake, from the making of its tables to the last
                  journal entry, with the model's conversion. `daily_run.py` measures small runs.
*_bfloat16, _int8 the roofline, silver and landing to gold in that precision, where the processor has it.
chunked           landing to gold in four chunks, where `all` has one: what a chunk costs.
listing           what the driver does alone: 50,000 and 200,000 landing objects are listed and looked up.
one_executor,     silver in one and in two executor processes of one core each, apart from the driver's:
two_executors     what a second one brings, and which parts it doesn't shorten.
notebook          Keras `predict` in a pandas UDF over `binaryFile`, to Parquet (`notebook_baseline.py`).
daft              Daft with LiteRT in float32, to Parquet (`daft_baseline.py`), in a Python of its own: that
                  of `--daft-python`, or one that is made with `benchmarks/requirements-daft.txt`.
large             the roofline with JPEGs of 12.5 megapixels, of 8 and of 32 of them a core.
large_full        the same photos, decoded in full and then resized.

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
  there are, further ones are mirrored and cropped by a few pixels and encoded again. A large one is a mosaic.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import calibration_file, machine
from benchmarks.input_photos import (
    MOBILENET,
    linked,
    mean_bytes,
    originals_of,
    write_empty,
    write_mosaics,
    write_photos,
)
from benchmarks.marginal_rates import (
    ALL_GATES,
    OTHERS_MATTER,
    Rate,
    Results,
    medians,
    most_others,
    rates,
    roofline_of,
)
from benchmarks.notebook_baseline import APPLICATIONS
from benchmarks.workloads import ROUGH, TITLES, Failed, Measured, Task, measured, precision_of
from conf.errors import BadInput, FruitLakeError
from conf.settings import Settings
from lake import cpu_cores
from lake.enums import Precision
from lake.model_identity import file_sha256
from silver import (
    extractors,
    litert_conversion,
    model_files,
    processor_features,
    quantisation,
)
from silver.inference_runtime import compiled_model

ROOT = Path(__file__).resolve().parents[1]
PEERS = (
    *(f"{peer}_{precision}" for precision in ROUGH for peer in ("roofline", "silver", "all")),
    *(
        "roofline",
        "guarded",
        "silver",
        "all",
        "chunked",
        "listing",
        "one_executor",
        "two_executors",
    ),
    *("notebook", "daft", "large", "large_full"),
)
SIZES = (1142, 4568)
LARGE = (16, 64)
LISTED = (50_000, 200_000)

OF_ROOFLINE = {
    "guarded": 0.95,
    "silver staging": 0.92,
    "silver": 0.85,
    "all": 0.75,
    "silver_bfloat16 staging": 0.88,
    "silver_bfloat16": 0.78,
    "all_bfloat16": 0.65,
}
"""The share of the roofline of the same precision that is wanted."""

OF_PEERS = (
    ("all", "notebook", 3.5),
    ("all", "daft", 1.0),
    ("roofline_bfloat16", "roofline", 1.8),
    ("all_bfloat16", "notebook", 5.5),
    ("all_bfloat16", "daft", 1.5),
    ("silver_int8", "silver", 1.6),
    ("large", "large_full", 3.0),
)
"""Two peers, and how many times the rate of the second one is wanted."""

GATES_WANTED = 0.15
"""The most that the gates should take of landing to gold."""

LIBRARIES = (
    *("pyspark", "delta-spark", "great-expectations", "tensorflow", "keras", "openvino"),
    *("numpy", "pandas", "pyarrow", "pillow"),
)


# On screen


def show(console: Console, results: Results, sizes: Mapping[str, Sequence[int]]) -> None:
    """The tables, what is doubtful about them, and what was wanted."""
    found = rates(results, sizes)
    console.print(rates_table(found, sizes))
    console.print(parts_table(results, sizes))
    console.print(processes_table(results))
    for rate in found.values():
        if rate.doubt:
            console.print(f"{rate.title.strip()}: no rate, {rate.doubt}.")
    for peer in found.keys() & results.keys():
        for size, rounds in zip(sizes[peer], results[peer], strict=True):
            if any(each.kept != size for each in rounds):
                kept = ", ".join(f"{each.kept:,}" for each in rounds)
                console.print(f"{TITLES[peer]} kept {kept} of {size:,} photos: not the same work.")
    others = max(map(most_others, results.values()), default=0.0)
    if others > OTHERS_MATTER:
        told = "no ratio is sure; repeat it on a quiet machine"
        console.print(f"Other programs took up to {others:.0%} of the machine: {told}.")
    for line in wanted(found, results, sizes):
        console.print(line)


def wanted(
    found: Mapping[str, Rate], results: Results, sizes: Mapping[str, Sequence[int]]
) -> list[str]:
    """A line for each target whose numbers are there."""
    lines = []
    for name, share in OF_ROOFLINE.items():
        if part := ratio(found, name, roofline_of(name)):
            lines.append(
                f"{TITLES.get(name, name)} reaches {part:.0%} of its roofline; {share:.0%} is wanted."
            )
    for name, peer, times in OF_PEERS:
        if part := ratio(found, name, peer):
            lines.append(
                f"{TITLES.get(name, name)} has {part:.2f} times the rate of {TITLES[peer]}; "
                f"{times} is wanted."
            )
    for name in ("two_executors", "two_executors without gates", "two_executors staging"):
        if part := ratio(found, name, name.replace("two_executors", "one_executor")):
            what = name.removeprefix("two_executors").strip() or "in all"
            lines.append(f"Two executors have {part:.2f} times the rate of one, silver {what}.")
    if "all" in found and found["all"].per_second:
        lines.append(gates_line(results["all"], sizes["all"], whole=1 / found["all"].per_second))
    return lines


def ratio(found: Mapping[str, Rate], name: str, other: str) -> float | None:
    """Of two rates, where both are there."""
    one, two = (found[each].per_second if each in found else None for each in (name, other))
    return one / two if one and two else None


def gates_line(by_size: Sequence[Sequence[Measured]], sizes: Sequence[int], *, whole: float) -> str:
    """What the gates take of the `whole` seconds that a photo more costs, and what they take anyway."""
    small, large = medians(by_size, *ALL_GATES)
    more = (large - small) / (sizes[1] - sizes[0])
    return (
        f"The gates take {1000 * more:.2f} of {1000 * whole:.2f} ms that a photo more costs from landing to "
        f"gold, {more / whole:.0%}; under {GATES_WANTED:.0%} is wanted. However few photos there are, they "
        f"take {small - more * sizes[0]:.1f} s."
    )


def rates_table(found: Mapping[str, Rate], sizes: Mapping[str, Sequence[int]]) -> Table:
    """One row a peer."""
    table = Table(title="rates: (n2 - n1) / (t2 - t1)")
    table.add_column("peer", no_wrap=True)
    columns = ("photos/s", "fixed s", "n1", "n2", "of roofline", "× notebook")
    for name in columns:
        table.add_column(name, justify="right")
    for name, rate in found.items():
        numbers = sizes[name.split()[0]]
        at = (f"{n:,} in {t:,.1f} s" for n, t in zip(numbers, rate.seconds, strict=True))
        is_large = name.startswith("large")
        peers = (roofline_of(name), "notebook")
        of, times = (None if is_large else ratio(found, name, peer) for peer in peers)
        table.add_row(
            rate.title,
            f"{rate.per_second:,.1f}" if rate.per_second else "–",
            f"{rate.fixed:,.1f}" if rate.fixed is not None else "–",
            *at,
            f"{of:.0%}" if of else "–",
            f"{times:.2f}" if times else "–",
        )
    return table


def parts_table(results: Results, sizes: Mapping[str, Sequence[int]]) -> Table:
    """Where the seconds go, of those peers that tell."""
    table = Table(title="parts")
    table.add_column("peer", no_wrap=True)
    table.add_column("part", no_wrap=True)
    for name in ("s at n1", "s at n2", "ms a photo more"):
        table.add_column(name, justify="right")
    for peer, by_size in results.items():
        for name in (*by_size[0][0].parts, "in all"):
            small, large = medians(by_size, *(() if name == "in all" else (name,)))
            more = 1000 * (large - small) / (sizes[peer][1] - sizes[peer][0])
            table.add_row(TITLES[peer], name, f"{small:.2f}", f"{large:.2f}", f"{more:.2f}")
        table.add_section()
    return table


def processes_table(results: Results) -> Table:
    """Start, memory and neighbours: the worst of all measurements of a peer."""
    table = Table(title="processes: the highest of all measurements")
    table.add_column("peer", no_wrap=True)
    kinds = ("JVM", "driver", "workers", "a worker", "helpers")
    for name in ("s to start", *(f"{kind} MB" for kind in kinds), "others"):
        table.add_column(name, justify="right")
    for peer, by_size in results.items():
        every = [each for rounds in by_size for each in rounds]
        memory = (max(each.memory.get(kind, 0) for each in every) for kind in kinds)
        others = most_others(by_size)
        table.add_row(
            TITLES[peer],
            f"{max(each.ready for each in every):.1f}",
            *(f"{peak / 1e6:,.0f}" if peak else "–" for peak in memory),
            f"{others:.0%}",
            style="yellow" if others > OTHERS_MATTER else None,
        )
    return table


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
    parser.add_argument("--only", metavar="PEERS", help=f"some of {','.join(PEERS)}")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="medians of so many")
    parser.add_argument("--daft-python", metavar="PYTHON", help="a Python that has Daft")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="measures what emr plan needs, to this file",
    )
    words = parser.parse_args(argv)
    if not 0 < words.sizes[0] < words.sizes[1]:
        parser.error("--sizes: two numbers of photos, the smaller first")
    if words.rounds < 1:
        parser.error("--rounds: at least 1")
    usual = calibration_file.NEEDED if words.calibration else PEERS
    words.peers = words.only.split(",") if words.only else list(usual)
    if unknown := [peer for peer in words.peers if peer not in PEERS]:
        parser.error(f"--only: {', '.join(unknown)} is none of {', '.join(PEERS)}")
    return words


def choose(words: argparse.Namespace, console: Console) -> None:
    """Weights and peers that fit the extractor; weights as an absolute path. Raises BadInput."""
    Settings.load("local", environment={}, overrides=words.set)
    if words.weights is None:
        has_own = words.extractor == "mobilenet_v2" and MOBILENET.exists()
        words.weights = str(MOBILENET) if has_own else "random:1"
    elif Path(words.weights).exists():
        words.weights = str(Path(words.weights).resolve())
    extractors.extractor(words.extractor).source(words.weights)
    for precision in ROUGH:
        try:
            processor_features.check(precision)
        except BadInput:
            words.peers = [each for each in words.peers if precision_of(each)[1] is not precision]
            console.print(f"this processor has no {precision}, hence no peer of that precision.")
    if "notebook" in words.peers and words.extractor not in APPLICATIONS:
        words.peers.remove("notebook")
        told = f"keras.applications has no {words.extractor}, hence no notebook form"
        if not words.peers:
            raise BadInput(f"--only notebook: {told}; name another extractor.")
        console.print(f"{told}.")


@dataclass(frozen=True)
class Bench:
    """What the measurements share: photos by peer and size, and the model."""

    words: argparse.Namespace
    work: Path
    console: Console
    folders: Mapping[str, Sequence[Path]]
    cores: int

    @classmethod
    def made(cls, words: argparse.Namespace, work: Path, console: Console) -> Bench:
        """Photos and the model's flatbuffer, written into `work`. Raises BadInput."""
        cores = cpu_cores.cores()
        sizes = words.sizes
        with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn")) as pool:
            source = originals_of(words.photos, work=work)
            photos = write_photos(source, sizes[1], into=work / "photos", pool=pool)
            folders = [linked(photos[:size], work / f"of-{size}") for size in sizes]
            of = dict.fromkeys(words.peers, folders)
            if large := [peer for peer in words.peers if peer.startswith("large")]:
                into = work / "large"
                mosaics = write_mosaics(photos[: sizes[1]], LARGE[1], into=into, pool=pool)
                halves = [linked(mosaics[:count], work / f"large-{count}") for count in LARGE]
                of |= dict.fromkeys(large, halves)
            if "listing" in words.peers:
                of["listing"] = [write_empty(count, work / f"listed-{count}") for count in LISTED]
            model = (words.extractor, words.weights, work / "model.tflite")
            pool.submit(_write_models, *model, words.peers).result()
        if "daft" in words.peers and not words.daft_python:
            words.daft_python = _python_with_daft(work / "daft")
        return cls(words, work, console, of, cores)

    def measured(self, peer: str, photos: Path, place: Path) -> Measured:
        """One measurement in the folder `place`. Raises Failed."""
        words = self.words
        shared = (str(self.work / "model.tflite"), words.extractor, words.weights, self.cores)
        daft = words.daft_python or ""
        done = measured(Task(peer, str(photos), str(place), *shared, words.set, daft))
        self.console.print(f"{TITLES[peer]}, {photos.name}: {done.seconds:,.1f} s")
        return done


def run_all(bench: Bench) -> dict[str, list[list[Measured]]]:
    """Every peer at every size in every round. A peer that fails is left out, and the others go on."""
    results: dict[str, list[list[Measured]]] = {peer: [[], []] for peer in bench.words.peers}
    for _ in range(bench.words.rounds):
        for peer in list(results):
            try:
                for size, photos in enumerate(bench.folders[peer]):
                    with tempfile.TemporaryDirectory(
                        dir=bench.work, ignore_cleanup_errors=True
                    ) as made:
                        done = bench.measured(peer, photos, Path(made))
                        results[peer][size].append(done)
            except Failed as error:
                bench.console.print(str(error), markup=False)
                del results[peer]
    return results


def _python_with_daft(place: Path) -> str:
    """A Python of its own with what the peer `daft` needs. Raises BadInput where that can't be installed."""
    venv.create(place, with_pip=True)
    python = str(place / "bin/python")
    requirements = Path(__file__).with_name("requirements-daft.txt")
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    if subprocess.run(install, check=False).returncode:
        raise BadInput(f"{requirements.name} can't be installed; leave daft out of --only.")
    return python


def _write_models(extractor: str, weights: str, target: Path, peers: Sequence[str]) -> None:
    """The flatbuffer as `target`, and beside it the model in int8 where a roofline runs it."""
    chosen = extractors.extractor(extractor)
    flatbuffer = litert_conversion.convert(chosen.build(chosen.source(weights)))
    target.write_bytes(flatbuffer)
    if f"roofline_{Precision.INT8}" in peers:
        ending = model_files.ending(Precision.INT8)
        target.with_suffix(ending).write_bytes(quantisation.quantised(flatbuffer))


def dimensions_of(model: Path) -> int:
    """How many values an embedding of the model has."""
    content = model.read_bytes()
    return compiled_model(content, file_sha256(content)).dimensions


def facts(bench: Bench) -> dict[str, Any]:
    """What the numbers hang on."""
    from lake.run_journal import code_revision

    words = bench.words
    return {
        **machine.facts(LIBRARIES),
        "date": datetime.now(UTC).date().isoformat(),
        "photo_bytes": {peer: mean_bytes(at[-1]) for peer, at in bench.folders.items()},
        "listed": list(LISTED),
        "dimensions": dimensions_of(bench.work / "model.tflite"),
        "code_revision": code_revision(),
        "extractor": words.extractor,
        "weights": Path(words.weights).name,
        "settings": words.set,
        "sizes": list(words.sizes),
        "large": list(LARGE),
        "rounds": words.rounds,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and prints; 1 where a peer failed."""
    words = parse(argv)
    os.environ["PYTHONPATH"] = str(ROOT)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    load = machine.load()
    try:
        choose(words, console)
        told = f"{words.extractor} with {Path(words.weights).name} on {cpu_cores.cores()} cores"
        console.print(f"{told}, load {load[0]} at the start.")
        bench = Bench.made(words, work, console)
        held = facts(bench)
        results = run_all(bench)
    except FruitLakeError as error:
        console.print(f"error: {error}", markup=False)
        return error.exit_code
    finally:
        shutil.rmtree(work, ignore_errors=True)
    own = {"large": LARGE, "large_full": LARGE, "listing": LISTED}
    sizes = {peer: own.get(peer, words.sizes) for peer in results}
    if results:
        show(console, results, sizes)
    if words.json:
        numbers = {
            "facts": held | {"load_before": load, "load_after": machine.load()},
            "rates": {name: asdict(rate) for name, rate in rates(results, sizes).items()},
            "measured": {
                peer: [[asdict(each) for each in rounds] for rounds in by_size]
                for peer, by_size in results.items()
            },
        }
        words.json.write_text(json.dumps(numbers, indent=2) + "\n")
    if words.calibration:
        try:
            entry = calibration_file.calibration(results, rates(results, sizes), held)
        except BadInput as error:
            console.print(f"error: {error}", markup=False)
            return error.exit_code
        calibration_file.write(entry, extractor=words.extractor, file=words.calibration)
    return 0 if set(words.peers) <= set(results) else 1


if __name__ == "__main__":
    sys.exit(main())
