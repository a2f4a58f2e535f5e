"""Estimates how long a run takes on a cluster, and how much memory and storage it needs.

    seconds = fixed + chunks × chunk + photos × (driver + list) + photos × read / (slots × READERS)
              + photos × core / (cores × efficiency × use)

`slots` is the number of vCPUs, which is also the number of tasks that run at the same time. `cores` is the
speed of all vCPUs together, as a number of cores of the machine that was measured. The slots don't end a
chunk together; `use` is the share of their time in which they work, in (0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from conf.prices import Calibration, Instance, Storage
from conf.settings import ChunkSettings, PhotoSettings
from lake.parquet_files import BUFFER
from lake.spark_session import REQUIRED
from lake.storage.s3_folder import S3Folder
from silver.embedding_files import FEWEST_ROWS

PART_BYTES = 8 << 20
"""The bytes that one request writes or copies: boto3's parts of an object."""

LIST_PAGE = 1000
"""The number of objects that S3 lists in one answer."""

CHUNK_SHARE = 0.1
"""The share that a chunk's gates and commits may take of the time in which all nodes work on it."""

YARN_SHARE = 0.75
"""The share of a node's memory that EMR gives to YARN: 12,288 of 16,384 MiB of an m5.xlarge (EMR release
guide, task configuration)."""

HEADROOM = 1.4
"""The memory for the driver's Python as a multiple of the measured peak."""

COPIES = 2
"""How often a worker holds the file of a photo, beside its decoder: in a batch, and in the memory that both
share."""

HEAP_PER_SLOT = 8 * int(REQUIRED["spark.sql.execution.arrow.maxBytesPerBatch"]) >> 20
"""The MiB of Java's heap for one task. Where rows pass through Spark, as gold's do, it holds batches on their
way to Python and back, and row groups that are read and written."""

MEMORY_STEP = 256
"""The MiB to whose multiples memory is rounded."""


@dataclass(frozen=True)
class Work:
    """A number of new photos, their average size in bytes, and the number of photos in a chunk."""

    photos: int
    photo_bytes: int
    chunk_photos: int

    @classmethod
    def in_chunks(cls, photos: int, photo_bytes: int, bounds: ChunkSettings) -> Work:
        """Return work in the largest chunks within both bounds of the settings, photos and bytes."""
        most = max(1, min(bounds.max_photos, bounds.max_bytes // photo_bytes))
        return cls(photos, photo_bytes, min(most, photos))

    @property
    def bytes(self) -> int:
        """The bytes of all photos."""
        return self.photos * self.photo_bytes

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return math.ceil(self.photos / self.chunk_photos)

    def use(self, slots: int) -> float:
        """Return the share of the slots' time in which they embed photos of a chunk.

        Tasks get smaller towards the end, so the last slot ends at most the fewest photos of a task after the
        mean (Graham's bound of a schedule in which no slot waits while there are tasks).
        """
        each = self.chunk_photos / slots
        return each / (each + (1 - 1 / slots) * min(FEWEST_ROWS, self.chunk_photos))


@dataclass(frozen=True)
class Seconds:
    """The parts of a run's seconds. More nodes only shorten the last two, `reading` and `cores`."""

    fixed: float
    chunks: float
    driver: float
    listing: float
    reading: float
    cores: float

    @property
    def serial(self) -> float:
        """The seconds that stay, however many nodes there are."""
        return self.fixed + self.chunks + self.driver + self.listing

    @property
    def total(self) -> float:
        """The seconds of the whole run."""
        return sum(getattr(self, field.name) for field in fields(self))


def core_seconds(work: Work, measured: Calibration) -> float:
    """Return the seconds that one measured core takes for a photo.

    Bytes beyond the size of the measured photos count as decoding. A smaller photo counts as a measured one.
    """
    more_bytes = max(0, work.photo_bytes - measured.photo_bytes)
    return measured.core_seconds + more_bytes * measured.byte_seconds


def run_seconds(
    work: Work, measured: Calibration, storage: Storage, *, slots: int, cores: float
) -> Seconds:
    """Return the seconds of a run with that many task slots, which are as fast as so many measured cores."""
    efficiency = 1 if slots == 1 else measured.efficiency
    return Seconds(
        fixed=measured.fixed_seconds,
        chunks=work.chunks * measured.chunk_seconds,
        driver=work.photos * measured.driver_seconds,
        listing=math.ceil(work.photos / LIST_PAGE) * storage.s3_first_byte_seconds,
        reading=work.photos * storage.s3_first_byte_seconds / (slots * S3Folder.readers),
        cores=work.photos * core_seconds(work, measured) / (cores * efficiency * work.use(slots)),
    )


def balanced_chunk(
    work: Work, measured: Calibration, storage: Storage, *, slots: int, cores: float
) -> int:
    """Return the number of photos in a chunk whose gates and commits take `CHUNK_SHARE` of its time.

    Its time is that in which all nodes read and compute for it.
    """
    computing = core_seconds(work, measured) / (cores * measured.efficiency)
    reading = storage.s3_first_byte_seconds / (slots * S3Folder.readers)
    return math.ceil(measured.chunk_seconds / CHUNK_SHARE / (computing + reading))


@dataclass(frozen=True)
class Memory:
    """The memory of a node, in MiB.

    `container` is what YARN has to give, `heap` the Java heap of the executor, `overhead` the memory of its
    Python workers beside the heap, and `driver` the driver's container. `driver_alone` says that the driver
    has no room beside an executor, and takes a node of its own.
    """

    container: int
    heap: int
    overhead: int
    driver: int
    driver_alone: bool

    @property
    def has_driver(self) -> bool:
        """Whether the driver fits on such a node at all."""
        return self.driver <= self.container


def photo_memory(photos: PhotoSettings) -> int:
    """Return the bytes that the worst photo takes in a slot, beyond those of photos that were measured."""
    return photos.decoder_memory + COPIES * photos.max_bytes


def node_memory(
    instance: Instance, work: Work, measured: Calibration, *, photo: int, driver: int
) -> Memory:
    """Return the memory of a node with one executor, which has a task slot for each vCPU.

    `driver` is the size of the driver's container in MiB. YARN puts the driver on one of the nodes, so all of
    them leave room for it where Java's heap stays large enough. Each slot has room for a worker and its
    decoder as they were measured, for the list of a chunk's objects, which is broadcast to the worker, and
    for the worst photo, which takes `photo` bytes.
    """
    container = int(instance.memory_gib * 1024 * YARN_SHARE)
    worker_bytes = measured.worker_bytes + work.chunk_photos * measured.driver_bytes + photo
    overhead = _rounded_up(instance.vcpus * worker_bytes / (1 << 20))
    heap = (container - driver - overhead) // MEMORY_STEP * MEMORY_STEP
    if heap >= instance.vcpus * HEAP_PER_SLOT:
        return Memory(container, heap, overhead, driver, driver_alone=False)
    heap_without_driver = (container - overhead) // MEMORY_STEP * MEMORY_STEP
    return Memory(container, heap_without_driver, overhead, driver, driver_alone=True)


def driver_overhead(work: Work, measured: Calibration) -> int:
    """Return the MiB that the driver's Python needs beside Java's heap.

    It holds the objects of one chunk; what is listed lies on its disk.
    """
    held_bytes = measured.memory_bytes["driver"] + work.chunk_photos * measured.driver_bytes
    return _rounded_up(held_bytes * HEADROOM / (1 << 20))


def _rounded_up(mebibytes: float) -> int:
    return math.ceil(mebibytes / MEMORY_STEP) * MEMORY_STEP


@dataclass(frozen=True)
class StorageNeed:
    """The requests to S3 that a run makes, and the bytes that S3 stores after it."""

    gets: int
    puts: int
    stored_bytes: int

    def requests_cost(self, storage: Storage) -> float:
        """Return the dollars for the requests, with a KMS request for each.

        A bucket key makes the requests to KMS fewer.
        """
        requests = self.gets + self.puts
        return (
            self.gets * storage.s3_get_1000 / 1000
            + self.puts * storage.s3_put_1000 / 1000
            + requests * storage.kms_10000 / 10_000
        )

    def month_cost(self, storage: Storage) -> float:
        """Return the dollars for storing the bytes for a month."""
        return self.stored_bytes / 1e9 * storage.s3_gb_month


def storage_need(work: Work, *, dimensions: int, components: int) -> StorageNeed:
    """Return the requests of a run and the bytes that are stored after it.

    Each photo is read from landing once, and from bronze with others. `PART_BYTES` are written by one
    request: to staging, and from there to bronze by a copy that S3 makes. Landing and bronze store the bytes
    of the photos; silver stores float32[dimensions] and gold float32[components] for each.
    """
    parts = math.ceil(work.bytes / PART_BYTES)
    pages = math.ceil(work.photos / LIST_PAGE)
    vector_bytes = work.photos * (dimensions + components) * 4
    return StorageNeed(
        gets=work.photos + math.ceil(work.bytes / BUFFER),
        puts=pages + 2 * parts,
        stored_bytes=2 * work.bytes + vector_bytes,
    )
