"""The plan: its formula, the fewest nodes that end in time, what they cost, and what it refuses."""

from __future__ import annotations

import heapq
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

import run
from cli.commands import emr as emr_command
from cli.parser import parse
from conf import prices
from conf.errors import BadInput, BadSettings
from conf.prices import Calibration
from conf.settings import Settings
from emr import cluster_sizing, run_estimate
from emr.cluster_sizing import CostModel
from emr.run_estimate import Work
from lake.parquet_files import RowSpan
from silver.embedding_files import shares

HOUR = 3600

MEASURED = Calibration(
    date="2026-01-01",
    cpu="a processor",
    machine="x86_64",
    cores=2,
    threads_per_core=1,
    code_revision="0123456789ab",
    weights="random:1",
    dimensions=1280,
    sizes=(1000, 4000),
    rounds=1,
    others=0.02,
    photo_bytes=20_000,
    roofline_seconds=0.010,
    core_seconds=0.016,
    byte_seconds=1e-8,
    driver_seconds=1e-4,
    driver_bytes=1_000,
    fixed_seconds=40,
    chunk_seconds=10,
    efficiency=0.8,
    memory_bytes={"JVM": 1 << 30, "driver": 300 << 20, "workers": 900 << 20, "a worker": 300 << 20},
)
PRICES = prices.prices()
SETTINGS = Settings.load("emr", environment={})
OWN = SETTINGS.emr
PHOTO = 300 << 20


def model(of, measured=MEASURED, own=OWN):
    return CostModel(
        of, measured, PRICES, own, photo_memory=PHOTO, driver_heap=2048, driver_overhead=1024
    )


def work(photos=1_000_000, photo_bytes=100_000, chunk_photos=100_000):
    return Work(photos, photo_bytes, chunk_photos)


def taken(of, *, slots=100, cores=100.0, measured=MEASURED):
    return run_estimate.run_seconds(of, measured, PRICES.storage, slots=slots, cores=cores)


def test_the_formula_part_by_part():
    of = work()
    core = 0.016 + (of.photo_bytes - 20_000) * 1e-8
    found = taken(of)
    assert found.fixed == 40
    assert found.chunks == 10 * 10
    assert found.driver == pytest.approx(100)
    assert found.listing == pytest.approx(1000 * PRICES.storage.s3_first_byte_seconds)
    assert found.reading == pytest.approx(1e6 * PRICES.storage.s3_first_byte_seconds / 800)
    of_a_slot = 1000 + 0.99 * 32  # of a chunk of 100,000 photos
    assert found.cores == pytest.approx(10 * of_a_slot * core / 0.8)
    assert found.serial == pytest.approx(
        40 + 100 + 100 + 1000 * PRICES.storage.s3_first_byte_seconds
    )
    assert found.total == pytest.approx(found.serial + found.reading + found.cores)


def test_a_photo_of_fewer_bytes_than_measured_counts_as_measured():
    assert run_estimate.core_seconds(work(photo_bytes=5_000), MEASURED) == MEASURED.core_seconds


def test_more_cores_don_t_shorten_what_is_serial():
    few, many = taken(work(), slots=10, cores=10.0), taken(work(), slots=100, cores=100.0)
    assert few.serial == many.serial
    assert many.cores < few.cores
    assert few.total / many.total < 10


def ends(sizes, slots):
    """How many photos the busiest slot embeds: each task goes to the slot that is free first."""
    busy = [0] * slots
    for size in sizes:
        heapq.heapreplace(busy, busy[0] + size)
    return max(busy)


@pytest.mark.parametrize("slots", [1, 2, 7, 100, 4000])
@pytest.mark.parametrize("photos", [1, 31, 32, 33, 900, 3_201, 25_000, 100_000])
def test_the_slots_of_silver_s_own_tasks_end_no_later_than_is_estimated(photos, slots):
    [span] = [RowSpan("file", 0, 0, photos)]
    sizes = [sum(each.rows for each in share) for share in shares([span], slots)]
    assert sum(sizes) == photos
    estimated = photos / slots / work(chunk_photos=photos).use(slots)
    assert ends(sizes, slots) <= estimated + 1e-9 <= photos / slots + 32 + 1e-6


def test_cores_beyond_the_tasks_of_a_chunk_bring_little():
    small = work(photos=3_200, chunk_photos=3_200)
    few, twice = taken(small, slots=100, cores=100.0), taken(small, slots=200, cores=200.0)
    assert few.cores > twice.cores > 0.7 * few.cores


@pytest.mark.parametrize(
    ("photos", "photo_bytes", "chunks"),
    [(1, 100, 1), (25_000, 100, 1), (25_001, 100, 2), (100_000, 1_000_000, 20), (3, 50_000_000, 1)],
)
def test_chunks_stay_within_both_bounds(photos, photo_bytes, chunks):
    bounds = SETTINGS.chunks.model_copy(update={"max_photos": 25_000, "max_bytes": 5 * 10**9})
    of = Work.in_chunks(photos, photo_bytes, bounds)
    assert of.chunks == chunks
    assert of.chunk_photos <= 25_000
    assert of.chunk_photos * photo_bytes <= 5 * 10**9


@pytest.mark.parametrize("name", PRICES.instances)
@pytest.mark.parametrize("hours", [0.5, 1, 3])
def test_one_node_fewer_would_be_late(name, hours):
    of = model(work())
    found = of.smallest_shape(name, hours=hours)
    assert found.hours <= hours
    assert found.nodes == 1 or of.shape(name, nodes=found.nodes - 1).hours > hours


def test_no_cluster_is_faster_than_its_driver():
    with pytest.raises(BadInput, match=r"can't be done in 0\.05 h, .* give more --hours"):
        cluster_sizing.plan_cluster(model(work()), hours=0.05)


def test_a_type_of_which_no_number_ends_in_time_is_told(monkeypatch):
    monkeypatch.setattr(cluster_sizing, "MOST_NODES", 12)
    made = cluster_sizing.plan_cluster(model(work()), hours=0.3)
    assert made.late == ("m5.xlarge",)
    assert {shape.name for shape in made.shapes} == {"c7i.2xlarge", "c7g.2xlarge"}


def test_a_run_costs_its_nodes_for_its_hours():
    of = model(work(), own=OWN.model_copy(update={"core_nodes": 1, "disk_gb": 64}))
    node = PRICES.instances["m5.xlarge"]
    shape = of.shape("m5.xlarge", nodes=3)
    disk = 64 * PRICES.storage.ebs_gb_month / cluster_sizing.HOURS_A_MONTH
    whole = of.cost(shape, is_spot=False)
    assert whole == pytest.approx(shape.hours * 4 * (node.on_demand + node.emr + disk))
    less = shape.hours * 2 * (node.on_demand - node.spot)
    assert whole - of.cost(shape, is_spot=True) == pytest.approx(less)


def test_a_driver_of_its_own_is_paid_too():
    of = model(work())
    alone = replace(of, driver_overhead=9000)
    few, more = of.shape("m5.xlarge", nodes=3), alone.shape("m5.xlarge", nodes=3)
    assert (few.launched_nodes, more.launched_nodes) == (3, 4)
    assert alone.cost(more, is_spot=False) == pytest.approx(5 / 4 * of.cost(few, is_spot=False))


def test_a_primary_node_without_a_price_is_refused():
    of = model(work(), own=OWN.model_copy(update={"primary": ("x9.huge",)}))
    with pytest.raises(BadInput, match=r"no price of x9\.huge"):
        of.cost(of.shape("m5.xlarge", nodes=1), is_spot=True)


def test_the_cheapest_is_chosen():
    made = cluster_sizing.plan_cluster(model(work()), hours=1)
    costs = {shape.name: made.model.cost(shape, is_spot=True) for shape in made.shapes}
    assert set(costs) == set(PRICES.instances)
    assert costs[made.chosen.name] == min(costs.values())


def test_a_chunk_is_as_large_as_its_gates_ask_for():
    nodes = {"slots": 100, "cores": 80.0}
    wanted = run_estimate.balanced_chunk(work(), MEASURED, PRICES.storage, **nodes)
    one = work(photos=wanted, chunk_photos=wanted)
    wanted = run_estimate.balanced_chunk(one, MEASURED, PRICES.storage, **nodes)
    found = taken(work(wanted, chunk_photos=wanted), **nodes)
    assert found.chunks / (found.reading + found.cores) == pytest.approx(
        run_estimate.CHUNK_SHARE, rel=0.1
    )


@pytest.mark.parametrize("name", PRICES.instances)
def test_a_node_s_memory_holds_one_executor_and_the_driver(name):
    instance, of = PRICES.instances[name], work(chunk_photos=10_000)
    container = instance.memory_gib * 1024 * run_estimate.YARN_SHARE
    found = run_estimate.node_memory(instance, of, MEASURED, photo=PHOTO, driver=3072)
    worker = MEASURED.worker_bytes + 10_000 * MEASURED.driver_bytes
    assert found.overhead * (1 << 20) >= instance.vcpus * (worker + PHOTO)
    assert found.heap >= instance.vcpus * run_estimate.HEAP_PER_SLOT
    assert 2 * (found.heap + found.overhead) > container, "a second one would fit"
    assert found.heap + found.overhead + found.driver <= container
    assert not found.driver_alone
    assert run_estimate.node_memory(instance, of, MEASURED, photo=PHOTO, driver=9000).driver_alone


def test_a_driver_that_fits_no_node_is_told():
    config = {**SETTINGS.spark.config, "spark.driver.memory": "200g"}
    large = SETTINGS.model_copy(
        update={"spark": SETTINGS.spark.model_copy(update={"config": config})}
    )
    text = told("--photos", "100000000", "--hours", "48", settings=large)
    assert "on no such node, which has 12,288" in text
    assert "fits no node of it: emr.core needs one of" in text


def test_the_shipped_settings_fit_the_shipped_cluster():
    config, [core] = SETTINGS.spark.config, OWN.core
    nodes = OWN.core_nodes + OWN.task_nodes
    instance = PRICES.instances[core]
    of = Work.in_chunks(10_000_000, 100_000, SETTINGS.chunks)
    executor = int(config["spark.executor.memory"].removesuffix("g")) * 1024
    beside = int(config["spark.executor.memoryOverhead"].removesuffix("g")) * 1024
    driver = sum(
        int(config[key].removesuffix("g")) * 1024
        for key in ("spark.driver.memory", "spark.driver.memoryOverhead")
    )
    wanted = run_estimate.node_memory(
        instance,
        of,
        prices.calibration("mobilenet_v2"),
        photo=run_estimate.photo_memory(SETTINGS.photos),
        driver=driver,
    )
    assert not wanted.driver_alone
    assert beside >= wanted.overhead
    assert executor >= instance.vcpus * run_estimate.HEAP_PER_SLOT
    assert 2 * (executor + beside) > wanted.container
    assert executor + beside + driver <= wanted.container
    assert config["spark.executor.cores"] == str(instance.vcpus)
    assert config["spark.dynamicAllocation.maxExecutors"] == str(nodes)
    assert config["spark.sql.shuffle.partitions"] == str(nodes * instance.vcpus)


def test_each_slot_has_room_for_the_worst_photo():
    instance, photos = PRICES.instances[OWN.core[0]], SETTINGS.photos
    more = photos.model_copy(update={"decoder_memory": photos.decoder_memory + (256 << 20)})
    larger = photos.model_copy(update={"max_bytes": photos.max_bytes + (128 << 20)})
    beside = [
        run_estimate.node_memory(
            instance, work(), MEASURED, photo=run_estimate.photo_memory(each), driver=3072
        ).overhead
        for each in (photos, more, larger)
    ]
    assert beside == [beside[0], beside[0] + 4 * 256, beside[0] + 4 * 256]


def test_a_driver_needs_memory_for_the_objects_of_a_chunk_and_not_for_those_of_the_folder():
    few, many = (
        run_estimate.driver_overhead(work(photos=10_000_000, chunk_photos=n), MEASURED)
        for n in (1000, 5_000_000)
    )
    more = 5_000_000 * MEASURED.driver_bytes * run_estimate.HEADROOM / (1 << 20)
    assert many - few == pytest.approx(more, abs=2 * run_estimate.MEMORY_STEP)
    assert run_estimate.driver_overhead(work(photos=1000, chunk_photos=1000), MEASURED) == few
    assert model(work(photos=10_000_000, chunk_photos=5_000_000)).driver == 2048 + many


def test_what_s3_holds_and_is_asked():
    held = run_estimate.storage_need(
        work(photos=1000, photo_bytes=run_estimate.PART_BYTES), dimensions=1280, components=20
    )
    assert held.gets == 1000 + 2000
    assert held.puts == 1 + 2 * 1000
    assert held.stored_bytes == 2 * 1000 * run_estimate.PART_BYTES + 1000 * 1300 * 4


def told(*flags, settings=SETTINGS):
    screen = Console(file=io.StringIO(), width=120)
    words = parse(["emr", "plan", *flags])
    emr_command.run_plan(words, settings, screen)
    return screen.file.getvalue()


def test_the_screen_tells_shapes_limits_assumptions_and_where_each_price_is_from():
    text = told("--photos", "10000000", "--hours", "12")
    for name in PRICES.instances:
        assert name in text
    for source in PRICES.sources.values():
        assert f"{source.what}. {source.where}; {source.date}" in text
        assert source.verified or ", not verified" in text
    for word in (
        "Fruits-360, 138,704 photos",
        "On 100 cores",
        "Assumptions:",
        "Limits:",
        "Check them",
    ):
        assert word in text


def test_prices_of_another_region_are_told_to_be():
    elsewhere = OWN.model_copy(update={"region": "eu-central-1"})
    screen = Console(file=io.StringIO(), width=120)
    words = parse(["emr", "plan", "--photos", "1000"])
    emr_command.run_plan(words, SETTINGS.model_copy(update={"emr": elsewhere}), screen)
    assert "Prices of eu-west-3, not of eu-central-1" in screen.file.getvalue()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--photos", "ten"), "--photos ten is no whole number"),
        (("--photos", "0"), "--photos 0 is no whole number"),
        (("--photos", "-5"), "--photos"),
        (("--photos", "1.5"), "--photos 1.5 is no whole number"),
        (("--photos", "9", "--hours", "0"), "--hours 0 is no number of hours"),
        (("--photos", "9", "--hours", "soon"), "--hours soon is no number of hours"),
        (("--photos", "9", "--photo-bytes", "0"), "--photo-bytes 0 is no whole number"),
        (("--photos", "9", "--photo-bytes", "60000000"), "more than a photo may have"),
        (("--photos", "9", "--extractor", "resnet50"), "calibration.json has no rate of resnet50"),
    ],
)
def test_a_bad_number_is_one_sentence_and_exit_code_2(flags, said, capsys):
    assert run.main(["emr", "plan", *flags]) == 2
    printed = capsys.readouterr()
    text = " ".join((printed.out + printed.err).split())
    assert said in text
    assert "Traceback" not in text


def test_a_driver_s_memory_that_is_no_size_is_refused():
    settings = Settings.load(
        "emr", environment={}, overrides=["spark.config.spark.driver.memory=much"]
    )
    with pytest.raises(BadInput, match=r"spark\.driver\.memory = much is no size"):
        told("--photos", "1000", settings=settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("region = ", "can't be parsed"),
        ("region = 1", "region is not a text in quotes; instances is missing; .* set it right"),
        (None, "can't be read"),
    ],
)
def test_a_price_file_that_can_t_be_used_is_one_sentence(text, said, tmp_path):
    file = tmp_path / "prices.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadSettings, match=said):
        prices.prices(file)


def test_a_calibration_of_another_extractor_names_those_there_are(tmp_path):
    file = tmp_path / "calibration.json"
    file.write_text(json.dumps({"mobilenet_v2": MEASURED.model_dump()}))
    assert prices.calibration("mobilenet_v2", file) == MEASURED
    with pytest.raises(
        BadInput, match=r"no rate of resnet50; .*mobilenet_v2.*benchmarks/throughput\.py"
    ):
        prices.calibration("resnet50", file)


def test_every_price_says_where_it_is_from():
    assert {"on_demand", "spot", "emr", "s3", "ebs", "kms"} <= set(PRICES.sources)
    for source in PRICES.sources.values():
        assert source.where
        assert source.date
    assert all(each.spot < each.on_demand for each in PRICES.instances.values())
