"""What a PCA costs as the table grows: this project's, Spark ML's and scikit-learn's, on the same embeddings.

    python benchmarks/pca_fit.py [--rows N] [--dimensions D] [--json FILE]

The table is silver/embeddings of a lake, written by its workers in chunks as silver has them, of which the
last holds N/100 new rows. An embedding is low-rank plus noise, drawn from the seed and the row's number.

fit after new rows   the stored moments are read, the new chunk is folded and added, and 20 components are
                     found. As gold does it, the stored moments are also checked against the table's count
                     of rows, and the sum is committed.
first fit            the mean of the first chunk, all rows folded about it, and the components.
projection           features of the new rows, or of all, with that PCA, to where gold stages them.
Spark ML             `pyspark.ml.feature.PCA` on the whole table, the arrays made vectors.
scikit-learn         `sklearn.decomposition.PCA` in float64 on the whole table, which Arrow has collected.

How to read it:

- A table of N/2 rows gets as many new ones as that of N: where the cost follows what is new the ratio is
  near 1, where it follows the rows it is near 2.
- A small table says nothing about the goal: a second or two of a fit after new rows are Spark's queries,
  however few rows and values there are. Take the sizes that are the default.
- Each table and each peer has a process of its own, and does everything on a tiny table first: neither
  Spark's start nor its first use of a kind of query counts. This project's steps take turns, and medians
  are taken; the fits of the peers are timed once.
- The peers have Spark as a notebook starts it (`notebook_baseline.py`). This project's settings keep Java
  from its second compiler, which would slow Spark ML's arithmetic, all of it Java's where it finds no native
  BLAS; which one it found stands below.
- The angle is the largest between the subspace of 20 components and that of scikit-learn's full SVD.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from benchmarks import notebook_baseline
from benchmarks.marginal_rates import OTHERS_MATTER
from benchmarks.process_watch import end_of, watched
from cli.lake_access import writing
from conf.settings import Settings
from gold import feature_rows, moments_table, pca
from gold.moments import Moments, fold, matrix, mean
from gold.pca import Pca
from lake import catalog, spark_session
from lake.chunks import Chunk, ChunkPlan, ChunkState
from lake.enums import GOLD, SILVER
from lake.row_source import RowSource
from lake.writable_lake import WritableLake
from silver.embedding_rows import EMBEDDED, published

COMPONENTS = 20
WANTED = 0.1
"""Of Spark ML's fit: what a fit after new rows may take."""

SAME_ANGLE = 1e-6
"""Radians, far above float64's rounding and far below what a wrong subspace has."""

SEED, RANK, DECAY, NOISE = 8, 60, 0.93, 0.1
"""The embeddings: deviations of RANK directions fall by DECAY from one to the next, above the noise."""

TINY, WHOLE = "tiny", "whole"
"""The weights_id of what is warmed up with, and of what is measured."""

TINY_ROWS, TINY_NEW, TINY_DIMENSIONS = 400, 40, 64
LEAST_ROWS, LEAST_DIMENSIONS = 2000, 64
TURNS = 3

READ, FOLDED, SOLVED = "  stored moments read", "  new chunk folded", "  20 components found"
REFIT, AS_GOLD = "fit after new rows", "the same as gold does it, checked and committed"
FIRST = "first fit"
PROJECT_NEW, PROJECT_ALL = "projection of the new rows", "projection of all rows"
SPARK_ML, COLLECTED = "Spark ML's fit", "scikit-learn: collection through Arrow"
EIGH, FULL = "scikit-learn's fit, covariance_eigh", "scikit-learn's fit, full SVD"
STEPS = (
    *(REFIT, READ, FOLDED, SOLVED, AS_GOLD, FIRST, PROJECT_NEW, PROJECT_ALL),
    *(SPARK_ML, COLLECTED, EIGH, FULL),
)

DELTA = ("spark.sql.extensions", "spark.sql.catalog.spark_catalog")
"""What a notebook's Spark must be told to read the table, beside the jars."""

LIBRARIES = ("pyspark", "delta-spark", "scikit-learn", "numpy", "scipy", "pyarrow")

Told = tuple[dict[str, Any], np.ndarray]
"""What a peer tells, the seconds of each turn of each step among it, and its basis, float64[d, 20]."""


# The table


def generated(spark: SparkSession, numbers: range, *, dimensions: int) -> DataFrame:
    """Rows of `EMBEDDED`, the same whichever task makes them."""

    def drawn(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        chance = np.random.default_rng(SEED)
        directions = np.linalg.qr(chance.normal(size=(dimensions, RANK)))[0].T
        directions *= np.sqrt(dimensions) * DECAY ** np.arange(RANK)[:, None]
        centre = chance.uniform(size=dimensions)
        for batch in batches:
            rows = np.empty((batch.num_rows, dimensions), np.float32)
            for row, number in enumerate(batch.column("id").to_pylist()):
                own = np.random.default_rng((SEED, number))
                noise = NOISE * own.normal(size=dimensions)
                rows[row] = centre + own.normal(size=RANK) @ directions + noise
            offsets = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * dimensions)
            lists = pa.ListArray.from_arrays(offsets, pa.array(rows.ravel()))
            yield pa.RecordBatch.from_arrays([batch.column("id"), lists], ["id", "embedding"])

    tasks = spark.sparkContext.defaultParallelism
    drawn_rows = spark.range(numbers.start, numbers.stop, numPartitions=tasks).mapInArrow(
        drawn, "id bigint, embedding array<float>"
    )
    told = {
        "photo_id": F.sha2(F.col("id").cast("string"), 256),
        "label": F.concat(F.lit("kind "), F.col("id") % 28),
        "embedding": F.col("embedding"),
        "extractor": F.lit("generated"),
    }
    return drawn_rows.select(
        *(told.get(f.name, F.lit(None)).cast(f.dataType).alias(f.name) for f in EMBEDDED.fields)
    )


def append(lake: WritableLake, weights_id: str, numbers: range, *, dimensions: int) -> int:
    """Commits generated rows as silver's next chunk; returns its number."""
    chunk = Chunk(
        number=lake.last_chunk(catalog.EMBEDDINGS) + 1,
        layer=SILVER,
        state=ChunkState.JUDGED,
        weights_id=weights_id,
        photos=len(numbers),
        bytes=len(numbers) * dimensions * np.float32().nbytes,
    )
    rows = generated(lake.spark, numbers, dimensions=dimensions)
    lake.append(catalog.EMBEDDINGS, published(rows, weights_id=weights_id), chunk=chunk)
    return chunk.number


def embeddings(
    lake: WritableLake, weights_id: str, *, chunks: tuple[int, int] | None = None
) -> RowSource:
    """Those of a model, of all chunks or of some."""
    rows = lake.source(catalog.EMBEDDINGS, chunks=chunks)
    return rows.having("weights_id", [weights_id])


# This project


def this_project(work: Path, *, rows: int, new: int, dimensions: int) -> Told:
    """Makes the lake, and measures its steps."""
    settings = Settings.load(
        "local",
        environment={},
        overrides=[f"paths.lake={work / 'lake'}", f"paths.landing={work / 'landing'}"],
    )
    each = settings.chunks.max_photos
    tiny = {"rows": TINY_ROWS, "new": TINY_NEW, "dimensions": TINY_DIMENSIONS}
    whole = {"rows": rows, "new": new, "dimensions": dimensions}
    with writing(settings, Console()) as context:
        measured_steps(context.lake, TINY, each=each, turns=1, **tiny)
        return measured_steps(context.lake, WHOLE, each=each, turns=TURNS, **whole)


def measured_steps(
    lake: WritableLake,
    weights_id: str,
    *,
    rows: int,
    new: int,
    dimensions: int,
    each: int,
    turns: int,
) -> Told:
    """Writes the rows of a model in chunks of `each`, and measures what is done with them."""
    old = rows - new
    for start in range(0, old, each):
        through = append(
            lake, weights_id, range(start, min(start + each, old)), dimensions=dimensions
        )
    stored = moments_table.bring_up(lake, weights_id=weights_id, through=through)
    files = set(embeddings(lake, weights_id).frame().inputFiles())
    last = append(lake, weights_id, range(old, rows), dimensions=dimensions)
    every, fresh = (
        set(embeddings(lake, weights_id, chunks=c).frame().inputFiles())
        for c in (None, (last, last))
    )
    if fresh != every - files:
        raise SystemExit(f"the new rows are in {len(every - files)} files, {len(fresh)} are read.")
    first = through - (old - 1) // each
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(turns):
        parts, fitted = refit(lake, weights_id, last=last)
        steps = {
            AS_GOLD: partial(refit_as_gold, lake, weights_id, last=last),
            FIRST: partial(first_fit, lake, weights_id, first=first),
            PROJECT_NEW: partial(project, lake, weights_id, fitted, chunks=(last, last), rows=new),
            PROJECT_ALL: partial(project, lake, weights_id, fitted, chunks=None, rows=rows),
        }
        for name, seconds in {REFIT: sum(parts.values()), **parts}.items():
            taken[name].append(seconds)
        for name, step in steps.items():
            taken[name].append(timed(step)[0])
        moments_table.store(lake, stored, weights_id=weights_id, through=through)
    found = {"turns": taken, "files": len(every), "new_files": len(fresh)}
    return found | {"explained": fitted.explained_variance}, fitted.basis


def refit(lake: WritableLake, weights_id: str, *, last: int) -> tuple[dict[str, float], Pca]:
    """The fit after new rows, and the seconds of its parts."""

    def read() -> tuple[int, Moments]:
        row = lake.read(catalog.MOMENTS).where(F.col("weights_id") == weights_id).first()
        return row["through_chunk"], Moments.read(row.asDict())

    reading, (through, held) = timed(read)
    new = (through + 1, last)
    folding, added = timed(
        lambda: held + fold(embeddings(lake, weights_id, chunks=new), held.shift)
    )
    solving, fitted = timed(lambda: pca.fit(added, components=COMPONENTS))
    return {READ: reading, FOLDED: folding, SOLVED: solving}, fitted


def refit_as_gold(lake: WritableLake, weights_id: str, *, last: int) -> None:
    """The same by gold's own hand."""
    moments = moments_table.bring_up(lake, weights_id=weights_id, through=last)
    pca.fit(moments, components=COMPONENTS)


def first_fit(lake: WritableLake, weights_id: str, *, first: int) -> None:
    """From nothing."""
    shift = mean(embeddings(lake, weights_id, chunks=(first, first)))
    pca.fit(fold(embeddings(lake, weights_id), shift), components=COMPONENTS)


def project(
    lake: WritableLake, weights_id: str, fitted: Pca, *, chunks: tuple[int, int] | None, rows: int
) -> None:
    """Stages features, and sees that they are as many as the embeddings."""
    done = lake.spark.sparkContext.accumulator(0)
    source = embeddings(lake, weights_id, chunks=chunks)
    found = feature_rows.features(source, fitted, version="pca-1", count=lambda n: done.add(n))
    lake.staging.write_source(ChunkPlan(layer=GOLD).numbered(0), "features", found)
    if done.value != rows:
        raise SystemExit(f"{done.value} embeddings of {rows} were projected.")


# The peers


def notebook_table(work: Path) -> Callable[[str], DataFrame]:
    """Opens Spark as a notebook does; gives a function from a weights_id to its embeddings."""
    config = {name: spark_session.REQUIRED[name] for name in DELTA}
    config["spark.jars.packages"] = Settings.load("local", environment={}).spark.packages
    spark = notebook_baseline.session(os.cpu_count() or 1, config=config)
    place = str(work / "lake" / catalog.EMBEDDINGS.name)

    def rows(weights_id: str) -> DataFrame:
        table = spark.read.format("delta").load(place)
        return table.where(F.col("weights_id") == weights_id).select("embedding")

    return rows


def spark_ml(work: Path, **_: int) -> Told:
    """Spark ML's fit."""
    from pyspark.ml.feature import PCA, PCAModel
    from pyspark.ml.functions import array_to_vector

    rows = notebook_table(work)

    def fit(weights_id: str) -> PCAModel:
        vectors = rows(weights_id).select(array_to_vector("embedding").alias("embedding"))
        return PCA(k=COMPONENTS, inputCol="embedding", outputCol="features").fit(vectors)

    fit(TINY)
    seconds, model = timed(lambda: fit(WHOLE))
    jvm: Any = SparkSession.active().sparkContext._jvm
    netlib = jvm.dev.ludovic.netlib
    found = {
        "turns": {SPARK_ML: [seconds]},
        "explained": float(model.explainedVariance.toArray().sum()),
        "blas": netlib.blas.BLAS.getInstance().getClass().getSimpleName(),
        "lapack": netlib.lapack.LAPACK.getInstance().getClass().getSimpleName(),
    }
    return found, model.pc.toArray()


def scikit_learn(work: Path, **_: int) -> Told:
    """scikit-learn's fits, and what it takes to have the embeddings on the driver."""
    from sklearn.decomposition import PCA

    rows = notebook_table(work)

    def collected(weights_id: str) -> np.ndarray:
        column = rows(weights_id).toArrow().column("embedding").combine_chunks()
        return matrix(column).astype(np.float64)

    turns = {}
    for weights_id in (TINY, WHOLE):
        turns[COLLECTED], x = timed(partial(collected, weights_id))
        turns[EIGH], _fitted = timed(PCA(COMPONENTS, svd_solver="covariance_eigh").fit, x)
        turns[FULL], fitted = timed(PCA(COMPONENTS, svd_solver="full", copy=False).fit, x)
    found = {
        "turns": {name: [seconds] for name, seconds in turns.items()},
        "explained": float(fitted.explained_variance_ratio_.sum()),
    }
    return found, fitted.components_.T


def timed(step: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    began = time.perf_counter()
    done = step(*arguments)
    return time.perf_counter() - began, done


# A process for each

PEERS = {"this project": this_project, "Spark ML": spark_ml, "scikit-learn": scikit_learn}


def measured(peer: str, work: Path, console: Console, **sizes: int) -> dict[str, Any]:
    """One peer in a process of its own, with its peak memory and the share that others took meanwhile."""
    task = {"peer": peer, "work": str(work), "sizes": sizes}
    command = [sys.executable, str(Path(__file__).resolve()), "--task", json.dumps(task)]
    title = f"{peer}, {sizes['rows']:,} rows"
    with console.status(title):
        seconds, (code, watch) = timed(partial(watched, command, place=work, log=work / "log"))
    if code:
        console.print(end_of(work / "log"), markup=False)
        raise SystemExit(f"{title}: ended with code {code}.")
    console.print(f"{title}: {seconds:,.0f} s in all, {watch.others or 0:.0%} taken by others")
    found = json.loads((work / "result.json").read_text())
    return found | {"memory": watch.peak, "others": watch.others}


def measured_table(console: Console, **sizes: int) -> dict[str, Any]:
    """All peers on one table: the seconds of each step, what each peer told, and how well they agree."""
    from scipy.linalg import subspace_angles

    work = Path(tempfile.mkdtemp(prefix="fruit-lake-benchmark-"))
    try:
        peers = {peer: measured(peer, work, console, **sizes) for peer in PEERS}
        bases = {peer: np.load(work / f"{peer}.npy") for peer in PEERS}
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for peer, found in peers.items():
        found["angle"] = float(subspace_angles(bases[peer], bases["scikit-learn"]).max())
    turns = {name: each for found in peers.values() for name, each in found["turns"].items()}
    seconds = {name: statistics.median(each) for name, each in turns.items()}
    return {**sizes, "seconds": seconds, "peers": peers}


# On screen


def show(console: Console, small: Mapping[str, Any], large: Mapping[str, Any]) -> None:
    """The table, and what is to be said about it."""
    console.print(steps_table(small, large))
    peers = large["peers"]
    own, ml, sk = (peers[name] for name in PEERS)
    console.print(
        f"New rows: {own['new_files']} of {own['files']} files are read. Spark ML's arithmetic: "
        f"{ml['blas']}, {ml['lapack']}."
    )
    for name, found in (("this project", own), ("Spark ML", ml)):
        off = abs(found["explained"] - sk["explained"])
        console.print(
            f"{name} explains {found['explained']:.6%} of the variance, {off:.0e} off scikit-learn; the "
            f"subspaces differ by {found['angle']:.0e} rad ({SAME_ANGLE:.0e} may be)."
        )
    memory = (
        f"{name} {found['memory'].get('JVM', 0) / 1e6:,.0f} and "
        f"{found['memory'].get('driver', 0) / 1e6:,.0f} MB"
        for name, found in peers.items()
    )
    console.print(f"Peak memory of the JVM and the driver's Python: {', '.join(memory)}.")
    others = max(
        found["others"] or 0.0 for each in (small, large) for found in each["peers"].values()
    )
    if others > OTHERS_MATTER:
        console.print(f"Other programs took up to {others:.0%} of the machine: no ratio is sure.")
    bare, as_gold = (large["seconds"][n] / large["seconds"][SPARK_ML] for n in (REFIT, AS_GOLD))
    console.print(
        f"A fit after 1 % new rows takes at most {WANTED:.0%} of Spark ML's fit: "
        f"{'met' if bare <= WANTED else 'not met'} with {bare:.1%}; as gold does it, "
        f"{'met' if as_gold <= WANTED else 'not met'} with {as_gold:.1%}."
    )


def steps_table(small: Mapping[str, Any], large: Mapping[str, Any]) -> Table:
    """One row a step."""
    table = Table(title=f"{large['new']:,} new rows of {large['dimensions']:,} values, in seconds")
    table.add_column("step", no_wrap=True)
    columns = (*(f"{each['rows']:,} rows" for each in (small, large)), "ratio", "of Spark ML's fit")
    for name in columns:
        table.add_column(name, justify="right")
    for step in STEPS:
        before, after = small["seconds"][step], large["seconds"][step]
        share = after / large["seconds"][SPARK_ML]
        table.add_row(
            step, f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f}", f"{share:.1%}"
        )
    return table


# The command


def parse() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000, metavar="N")
    parser.add_argument("--dimensions", type=int, default=1280, metavar="D")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the numbers there")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.rows < LEAST_ROWS or words.dimensions < LEAST_DIMENSIONS:
        parser.error(f"at least {LEAST_ROWS} rows and {LEAST_DIMENSIONS} dimensions.")
    return words


def main() -> int:
    """Measures and prints; 1 where the results differ."""
    words = parse()
    if words.task:
        task = json.loads(words.task)
        work = Path(task["work"])
        found, basis = PEERS[task["peer"]](work, **task["sizes"])
        np.save(work / f"{task['peer']}.npy", basis)
        (work / "result.json").write_text(json.dumps(found))
        return 0
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    sizes = {"new": words.rows // 100, "dimensions": words.dimensions}
    tables = [measured_table(console, rows=n, **sizes) for n in (words.rows // 2, words.rows)]
    show(console, *tables)
    if words.json:
        facts = {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "versions": {name: version(name) for name in LIBRARIES},
        }
        words.json.write_text(json.dumps({"facts": facts, "tables": tables}, indent=2) + "\n")
    return (
        0 if all(each["peers"][n]["angle"] <= SAME_ANGLE for each in tables for n in PEERS) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
