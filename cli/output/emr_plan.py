"""Prints a plan: shapes, seconds, memory, storage, limits, assumptions and the sources of prices."""

from __future__ import annotations

import math

from rich.console import Console

from cli.output import tables
from cli.output.sentences import say
from cli.output.tables import NAME, NUMBER, WORDS, WholeTable
from conf.prices import Prices
from conf.settings import Settings
from emr import cluster_sizing, run_estimate
from emr.cluster_sizing import ClusterPlan, CostModel
from emr.run_estimate import Work
from lake.storage.s3_folder import S3Folder

FRUITS_360 = 138_704, 5_719
"""The number of photos in Fruits-360, which are 100×100, and their size in bytes. The size is the mean of the
benchmark's shop photos as JPEGs of 100×100."""

CORE_COUNTS = 10, 100
"""The numbers of measured cores for which the time is printed, besides that of the shapes."""

FILE_BYTES = 128 << 20
"""The size of the files that compaction writes (lake/spark_session.py)."""

PARTS = {
    "fixed": ("start, tables, model, gold's gate", "no"),
    "chunks": ("gates and commits, chunk by chunk", "no"),
    "driver": ("the driver's look at each object", "no"),
    "listing": ("S3's listing", "no"),
    "reading": ("S3's first byte, photo by photo", "yes"),
    "cores": ("decoding, inference, copies, PCA", "yes"),
}
"""The fields of `run_estimate.Seconds`: what the time is spent on, and whether more nodes shorten it."""


def show(console: Console, plan: ClusterPlan, settings: Settings) -> None:
    """Print a plan with everything that it rests on."""
    model = plan.model
    work = model.work
    say(
        console,
        f"{work.photos:,} photos of {work.photo_bytes:,} bytes, {_size(work.bytes)}, within {plan.hours:g} "
        f"h; chunks: {work.chunks:,}; {settings.model.extractor}, {model.emr_settings.region}.",
    )
    tables.show(console, _shapes_table(plan))
    for name in plan.late:
        console.print(f"{name}: {cluster_sizing.MOST_NODES} nodes don't end in time.")
    say(console, _choice(plan))
    tables.show(console, _seconds_table(plan))
    for lines in (
        _memory(plan),
        _storage(model, settings),
        _limits(plan, settings),
        _other_sizes(plan, settings),
        _assumptions(model),
        _sources(model.prices, region=model.emr_settings.region),
    ):
        console.print()
        for line in lines:
            say(console, line)


def _shapes_table(plan: ClusterPlan) -> WholeTable:
    title = "the fewest nodes that end in time; $/10⁶: a million photos, with Spot"
    numbers = ("nodes", "slots", "cores", "hours", "$", "$ Spot", "$/10⁶")
    table = WholeTable({"instance type": NAME, **dict.fromkeys(numbers, NUMBER)}, title=title)
    for shape in plan.shapes:
        costs = [plan.model.cost(shape, is_spot=is_spot) for is_spot in (False, True)]
        table.add(
            shape.name,
            f"{shape.nodes}",
            f"{shape.slots}",
            f"{shape.cores:.1f}",
            f"{shape.hours:.2f}",
            *(f"{cost:,.2f}" for cost in costs),
            f"{1e6 * costs[1] / plan.model.work.photos:,.2f}",
            style="bold" if shape is plan.chosen else None,
        )
    return table


def _choice(plan: ClusterPlan) -> str:
    """Return which shape the plan takes, what speaks against it, and the settings for it."""
    chosen, cost = plan.chosen, plan.model.cost
    choice = f"The plan takes {chosen.nodes} × {chosen.name}, which costs the least with Spot nodes"
    others = [cost(shape, is_spot=True) for shape in plan.shapes if shape is not chosen]
    if others:
        ratio = min(others) / cost(chosen, is_spot=True)
        choice += f"; the next one costs {ratio:.1f} times as much"
    if chosen.instance.architecture == "aarch64":
        choice += (
            ". Nothing was run on this type: the speed of its cores is an assumption, and only the wheels "
            "are known to exist. Try one node first, with the benchmark on it"
        )
    if not chosen.memory.has_driver:
        choice += (
            f". But the driver, {chosen.memory.driver:,} MiB, fits no node of it: emr.core needs one of "
            f"{math.ceil(chosen.memory.driver / 1024 / run_estimate.YARN_SHARE)} GiB or more"
        )
    core_nodes = min(plan.model.emr_settings.core_nodes, chosen.launched_nodes)
    return (
        f"{choice}. In conf/emr.toml: emr.core and emr.task = {chosen.name}, emr.core_nodes = {core_nodes}, "
        f"emr.task_nodes = {chosen.launched_nodes - core_nodes}."
    )


def _seconds_table(plan: ClusterPlan) -> WholeTable:
    seconds = plan.chosen.seconds
    columns = {"part": WORDS, "seconds": NUMBER, "share": NUMBER, "scales": NAME}
    table = WholeTable(columns, title=f"where the time goes on {plan.chosen.name}")
    for name, (description, scales) in PARTS.items():
        part = getattr(seconds, name)
        table.add(description, f"{part:,.0f}", f"{part / seconds.total:.0%}", scales)
    return table


def _memory(plan: ClusterPlan) -> list[str]:
    """Return Spark's settings of memory for each shape."""
    lines = ["One executor a node, a task slot for each vCPU:"]
    for shape in plan.shapes:
        memory = shape.memory
        place = "on a node of its own, one more" if memory.driver_alone else "beside an executor"
        if not memory.has_driver:
            place = f"on no such node, which has {memory.container:,}"
        lines.append(
            f"- {shape.name}: spark.executor.cores = {shape.instance.vcpus}, spark.executor.memory = "
            f"{memory.heap}m, spark.executor.memoryOverhead = {memory.overhead}m, "
            f"spark.dynamicAllocation.maxExecutors = {shape.nodes}; the driver's {memory.driver:,} MiB "
            f"{place}."
        )
    needed = run_estimate.driver_overhead(plan.model.work, plan.model.measured)
    if needed > plan.model.driver_overhead:
        lines.append(f"- spark.driver.memoryOverhead has to be {needed}m for such chunks.")
    return lines


def _storage(model: CostModel, settings: Settings) -> list[str]:
    """Return the requests to S3 and the stored bytes, with their cost."""
    dimensions = model.measured.dimensions
    components = settings.pca.components or dimensions
    need = run_estimate.storage_need(model.work, dimensions=dimensions, components=components)
    prices = model.prices.storage
    return [
        f"S3: {need.gets:,} GET, {need.puts:,} PUT and LIST: ${need.requests_cost(prices):,.2f}, with a KMS "
        f"request each. Then {_size(need.stored_bytes)} in landing, bronze, silver and gold: "
        f"${need.month_cost(prices):,.2f} a month."
    ]


def _limits(plan: ClusterPlan, settings: Settings) -> list[str]:
    """Return what doesn't get faster with more nodes, and up to which size it works."""
    model, shape = plan.model, plan.chosen
    work, measured = model.work, model.measured
    seconds = shape.seconds
    double = model.shape(shape.name, nodes=2 * shape.nodes).seconds.total
    files = math.ceil(work.bytes / FILE_BYTES)
    chunk = run_estimate.balanced_chunk(
        work, measured, model.prices.storage, slots=shape.slots, cores=shape.cores
    )
    return [
        f"Limits: {seconds.serial:,.0f} s stay however many nodes there are, so {2 * shape.nodes} nodes are "
        f"{seconds.total / double:.2f} times as fast as {shape.nodes}.",
        f"- Gates and commits of chunks take {seconds.chunks / seconds.total:.0%} of the time "
        f"(chunks.max_photos = {settings.chunks.max_photos:,}, chunks.max_bytes = "
        f"{settings.chunks.max_bytes:,}); with {chunk:,} photos a chunk they would take "
        f"{run_estimate.CHUNK_SHARE:.0%} of the time in which this cluster computes. Each Python worker "
        f"holds the list of a chunk's objects, {_size(work.chunk_photos * measured.driver_bytes)}.",
        f"- Delta's log has about {files:,} files of bronze/photos, which one task reads. That is not in the "
        f"formula: lakes of 100,000 photos are the largest that were measured.",
    ]


def _other_sizes(plan: ClusterPlan, settings: Settings) -> list[str]:
    """Return the time of the same work on CORE_COUNTS measured cores, one slot each, and that of Fruits-360
    on the chosen instance type."""
    model = plan.model
    work, measured, storage = model.work, model.measured, model.prices.storage
    lines = []
    for cores in CORE_COUNTS:
        seconds = run_estimate.run_seconds(work, measured, storage, slots=cores, cores=cores)
        lines.append(
            f"On {cores} cores like the measured one: {seconds.total / 3600:.2f} h, "
            f"{work.photos / seconds.total:,.0f} photos/s, {seconds.serial / seconds.total:.0%} of it serial."
        )
    fruits = model.with_work(Work.in_chunks(*FRUITS_360, settings.chunks))
    name = plan.chosen.name
    shape = fruits.smallest_shape(name, hours=plan.hours)
    shape = shape or fruits.shape(name, nodes=plan.chosen.nodes)
    costs = [fruits.cost(shape, is_spot=is_spot) for is_spot in (False, True)]
    return [
        *lines,
        f"Fruits-360, {fruits.work.photos:,} photos of 100×100: {shape.nodes} × {shape.name}, "
        f"{60 * shape.hours:.0f} minutes, ${costs[0]:.2f} on demand, ${costs[1]:.2f} with Spot; each photo "
        f"counts as one of the measured photos of {measured.photo_bytes:,} bytes.",
    ]


def _assumptions(model: CostModel) -> list[str]:
    """Return the measured rates, and what was assumed without measuring it."""
    measured, first_byte = model.measured, model.prices.storage.s3_first_byte_seconds
    threads = measured.threads_per_core or "unknown"
    return [
        "Assumptions:",
        f"- The rates were measured on {measured.date}, on {measured.cores} cores of {measured.cpu} "
        f"({measured.machine}; threads a core, as its system says: {threads}), with code "
        f"{measured.code_revision}, {measured.weights}, {measured.sizes[0]:,} and {measured.sizes[1]:,} "
        f"photos of {measured.photo_bytes:,} bytes. Rounds: {measured.rounds}; other programs used up to "
        f"{measured.others:.0%} of the machine.",
        f"- One more photo takes {1000 * measured.core_seconds:.1f} ms of a core from landing to gold, of "
        f"which decoding and inference are {1000 * measured.roofline_seconds:.1f}. Each byte beyond the "
        f"measured size takes {1e9 * measured.byte_seconds:.1f} ns, besides bronze's time to copy it.",
        "- A vCPU of Intel's is half as fast as the measured core, and one of Graviton's at most 0.84 times "
        "as fast (conf/prices.toml says why); neither was measured.",
        f"- Two executors embed at {measured.efficiency:.0%} of twice the rate of one, on cores that they "
        f"share with the driver. More executors, without the driver on their cores, are assumed to lose no "
        f"more.",
        f"- A task reads {S3Folder.readers} landing objects at once, with {first_byte:g} s to the first byte "
        f"of each. Gates and commits are assumed to be as fast on S3 as on a local disk, which they aren't.",
        "- The start of the cluster, which is paid, and the loss of Spot nodes are not included.",
    ]


def _sources(prices: Prices, *, region: str) -> list[str]:
    """Return where each price was read, and whether it is verified."""
    other = "" if region == prices.region else f", not of {region}"
    lines = [f"Prices of {prices.region}{other}, in US dollars before tax. Check them:"]
    for source in prices.sources.values():
        doubt = "" if source.verified else ", not verified"
        lines.append(f"- {source.what}. {source.where}; {source.date}{doubt}.")
    return lines


def _size(count: float) -> str:
    """Return a number of bytes with its unit, such as `220 MB`."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
