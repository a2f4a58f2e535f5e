"""The plan on the terminal: shapes, seconds, memory, storage, limits, assumptions and sources."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from conf.prices import Prices
from conf.settings import Settings
from emr import cluster_shapes, run_estimate
from emr.cluster_shapes import ClusterPlan, Reckoning
from emr.run_estimate import Work
from lake.storage.s3_folder import READERS

FRUITS_360 = 138_704, 5_719
"""Its photos of 100×100, and the mean bytes of the shop photos of the benchmark as JPEGs of that size."""

CLUSTERS = 10, 100
"""Cores of which the time is told, beside that of the shapes."""

FILE_BYTES = 128 << 20
"""To which compaction joins files (lake/spark_session.py)."""

PIECES = {
    "fixed": ("start, tables, model, gold's gate", "no"),
    "chunks": ("gates and commits, chunk by chunk", "no"),
    "driver": ("the driver's look at each object", "no"),
    "listing": ("S3's listing", "no"),
    "reading": ("S3's first byte, photo by photo", "yes"),
    "cores": ("decoding, inference, copies, PCA", "yes"),
}
"""What the seconds of `sizing.Seconds` are, and whether more nodes make them fewer."""


def show(console: Console, made: ClusterPlan, settings: Settings) -> None:
    """All of it."""
    reckoning = made.reckoning
    work = reckoning.work
    console.print(
        f"{work.photos:,} photos of {work.photo_bytes:,} bytes, {_size(work.bytes)}, within {made.hours:g} "
        f"h; chunks: {work.chunks:,}; {settings.model.extractor}, {reckoning.own.region}.",
        soft_wrap=True,
    )
    console.print(_shapes_table(made))
    for name in made.late:
        console.print(f"{name}: {cluster_shapes.MOST_NODES} nodes don't end in time.")
    console.print(_choice(made), soft_wrap=True)
    console.print(_seconds_table(made))
    for lines in (
        _memory(made),
        _storage(reckoning, settings),
        _limits(made, settings),
        _elsewhere(made, settings),
        _assumptions(reckoning),
        _sources(reckoning.prices, region=reckoning.own.region),
    ):
        console.print()
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)


def _shapes_table(made: ClusterPlan) -> Table:
    title = "the fewest nodes that end in time; $/10⁶: a million photos, with Spot"
    table = Table(title=title, title_justify="left")
    table.add_column("instance type", no_wrap=True)
    for name in ("nodes", "slots", "cores", "hours", "$", "$ Spot", "$/10⁶"):
        table.add_column(name, justify="right")
    for shape in made.shapes:
        costs = [made.reckoning.cost(shape, is_spot=is_spot) for is_spot in (False, True)]
        table.add_row(
            shape.name,
            f"{shape.nodes}",
            f"{shape.slots}",
            f"{shape.cores:.1f}",
            f"{shape.hours:.2f}",
            *(f"{cost:,.2f}" for cost in costs),
            f"{1e6 * costs[1] / made.reckoning.work.photos:,.2f}",
            style="bold" if shape is made.chosen else None,
        )
    return table


def _choice(made: ClusterPlan) -> str:
    chosen, cost = made.chosen, made.reckoning.cost
    told = f"The plan takes {chosen.nodes} × {chosen.name}: the least with Spot"
    others = [cost(each, is_spot=True) for each in made.shapes if each is not chosen]
    if others:
        told += f"; the next one costs {min(others) / cost(chosen, is_spot=True):.1f} times as much"
    if chosen.instance.architecture == "aarch64":
        told += (
            ". That rests on an assumption about its cores and on wheels that exist, not on a run: try one "
            "node first, with the benchmark on it"
        )
    if not chosen.memory.has_driver:
        told += (
            f". But the driver, {chosen.memory.driver:,} MiB, fits no node of it: emr.core needs one of "
            f"{math.ceil(chosen.memory.driver / 1024 / run_estimate.YARN_SHARE)} GiB or more"
        )
    core = min(made.reckoning.own.core_nodes, chosen.launched)
    return (
        f"{told}. In conf/emr.toml: emr.core and emr.task = {chosen.name}, emr.core_nodes = {core}, "
        f"emr.task_nodes = {chosen.launched - core}."
    )


def _seconds_table(made: ClusterPlan) -> Table:
    taken = made.chosen.seconds
    table = Table(title=f"where the time goes on {made.chosen.name}", title_justify="left")
    for name in ("part", "seconds", "share", "scales"):
        table.add_column(name, justify="right" if name in ("seconds", "share") else "left")
    for name, (what, scales) in PIECES.items():
        part = getattr(taken, name)
        table.add_row(what, f"{part:,.0f}", f"{part / taken.total:.0%}", scales)
    return table


def _memory(made: ClusterPlan) -> list[str]:
    lines = ["One executor a node, a task slot for each vCPU:"]
    for shape in made.shapes:
        memory = shape.memory
        where = "on a node of its own, one more" if memory.driver_alone else "beside an executor"
        if not memory.has_driver:
            where = f"on no such node, which has {memory.container:,}"
        lines.append(
            f"- {shape.name}: spark.executor.cores = {shape.instance.vcpus}, spark.executor.memory = "
            f"{memory.heap}m, spark.executor.memoryOverhead = {memory.overhead}m, "
            f"spark.dynamicAllocation.maxExecutors = {shape.nodes}; the driver's {memory.driver:,} MiB "
            f"{where}."
        )
    needed = run_estimate.driver_overhead(made.reckoning.work, made.reckoning.measured)
    if needed > made.reckoning.driver_overhead:
        lines.append(f"- spark.driver.memoryOverhead has to be {needed}m for so many objects.")
    return lines


def _storage(reckoning: Reckoning, settings: Settings) -> list[str]:
    dimensions = reckoning.measured.dimensions
    components = settings.pca.components or dimensions
    held = run_estimate.stored(reckoning.work, dimensions=dimensions, components=components)
    prices = reckoning.prices.storage
    return [
        f"S3: {held.gets:,} GET, {held.puts:,} PUT and LIST: ${held.requests_cost(prices):,.2f}, with a KMS "
        f"request each. Then {_size(held.held)} in landing, bronze, silver and gold: "
        f"${held.month_cost(prices):,.2f} a month."
    ]


def _limits(made: ClusterPlan, settings: Settings) -> list[str]:
    """What doesn't scale, and from where on."""
    reckoning, shape = made.reckoning, made.chosen
    work, measured = reckoning.work, reckoning.measured
    twice = reckoning.on(shape.name, nodes=2 * shape.nodes).seconds.total
    files = math.ceil(work.bytes / FILE_BYTES)
    heap = reckoning.driver_heap
    objects = run_estimate.most_objects(shape.instance, measured, driver_heap=heap)
    storage = reckoning.prices.storage
    wanted = run_estimate.chunk_for(work, measured, storage, slots=shape.slots, cores=shape.cores)
    return [
        f"Limits: {shape.seconds.serial:,.0f} s stay however many nodes there are, so {2 * shape.nodes} "
        f"nodes are {shape.seconds.total / twice:.2f} times as fast as {shape.nodes}.",
        f"- Chunks: {shape.seconds.chunks / shape.seconds.total:.0%} of the time is their own "
        f"(chunks.max_photos = {settings.chunks.max_photos:,}, chunks.max_bytes = "
        f"{settings.chunks.max_bytes:,}); with {wanted:,} photos a chunk it would be "
        f"{run_estimate.CHUNK_SHARE:.0%} of what this cluster does meanwhile. Each Python worker holds a chunk's "
        f"objects, {_size(work.chunk_photos * measured.driver_bytes)}.",
        f"- The driver holds each object of the landing folder, new or not, with "
        f"{measured.driver_bytes:,.0f} bytes of Python; alone on a {shape.name} it ends at some "
        f"{objects / 1e6:,.0f} million.",
        f"- Each chunk is compared with all objects before it, up to {work.photos:,}; Delta's log has some "
        f"{files:,} files of bronze/photos, which one task reads. Neither is in the formula: lakes of "
        f"100,000 photos are the largest that were measured.",
    ]


def _elsewhere(made: ClusterPlan, settings: Settings) -> list[str]:
    """The same work on round numbers of measured cores, a slot each; and other work on the same type."""
    reckoning = made.reckoning
    work, measured, storage = reckoning.work, reckoning.measured, reckoning.prices.storage
    lines = []
    for cores in CLUSTERS:
        taken = run_estimate.seconds(work, measured, storage, slots=cores, cores=cores)
        lines.append(
            f"On {cores} cores like the measured one: {taken.total / 3600:.2f} h, "
            f"{work.photos / taken.total:,.0f} photos/s, {taken.serial / taken.total:.0%} of it serial."
        )
    other = reckoning.of(Work.of(*FRUITS_360, settings.chunks))
    same = other.fitting(made.chosen.name, hours=made.hours) or other.on(
        made.chosen.name, nodes=made.chosen.nodes
    )
    costs = [other.cost(same, is_spot=is_spot) for is_spot in (False, True)]
    return [
        *lines,
        f"Fruits-360, {other.work.photos:,} photos of 100×100: {same.nodes} × {same.name}, "
        f"{60 * same.hours:.0f} minutes, ${costs[0]:.2f} on demand, ${costs[1]:.2f} with Spot; each counted "
        f"as one of the {measured.photo_bytes:,} bytes that were measured.",
    ]


def _assumptions(reckoning: Reckoning) -> list[str]:
    measured, first_byte = reckoning.measured, reckoning.prices.storage.s3_first_byte_seconds
    threads = measured.threads_per_core or "unknown"
    return [
        "Assumptions:",
        f"- Rates: {measured.date}, {measured.cores} cores of {measured.cpu} ({measured.machine}; threads a "
        f"core, as its system says: {threads}), code {measured.code_revision}, {measured.weights}, "
        f"{measured.sizes[0]:,} and {measured.sizes[1]:,} photos of {measured.photo_bytes:,} bytes, rounds: "
        f"{measured.rounds}, other programs up to {measured.others:.0%} of the machine.",
        f"- A photo more takes {1000 * measured.core_seconds:.1f} ms of a core from landing to gold, of "
        f"which decoding and inference are {1000 * measured.roofline_seconds:.1f}; a byte more than measured "
        f"{1e9 * measured.byte_seconds:.1f} ns, without what bronze takes to copy it.",
        "- A vCPU of Intel's is half a core as fast as the measured one, one of Graviton's a core at most "
        "0.84 as fast (conf/prices.toml says why); none was measured.",
        f"- Two executors embed at {measured.efficiency:.0%} of twice the rate of one, on cores that they "
        f"share with the driver; more of them, without it, are taken to lose no more.",
        f"- A task reads {READERS} landing objects at once, {first_byte:g} s to the first byte of each. "
        f"Gates and commits are taken to be as fast on S3 as on a local disk, which they aren't.",
        "- The cluster's start, which is paid, and what Spot takes back are not in it.",
    ]


def _sources(prices: Prices, *, region: str) -> list[str]:
    other = "" if region == prices.region else f", not of {region}"
    lines = [f"Prices of {prices.region}{other}, in US dollars before tax. Check them:"]
    for source in prices.sources.values():
        doubt = "" if source.verified else ", not verified"
        lines.append(f"- {source.what}. {source.where}; {source.date}{doubt}.")
    return lines


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
