"""How long a run takes on a cluster, and what memory and storage it needs. Numbers in, numbers out.

    seconds = fixed + chunks × chunk + photos × (driver + list) + photos × read / (slots × READERS)
              + photos × core / (cores × efficiency × use)

`slots` are vCPUs, as many as tasks run at once; `cores` are what they do together, in cores of the machine
that was measured. `use`: the tasks of a chunk come in waves, of which the last one is rarely full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from conf.prices import Calibration, Instance, Storage
from conf.settings import ChunkSettings
from lake.spark_session import REQUIRED
from lake.storage.s3_folder import READERS

SPLIT = int(REQUIRED["spark.sql.files.maxPartitionBytes"])
"""Bytes of bronze/photos that a task of silver reads."""

LIST_PAGE = 1000
"""Objects that S3 lists with one request."""

CHUNK_SHARE = 0.1
"""Of a chunk's time on all nodes that its gates and commits may take."""

YARN_SHARE = 0.75
"""Of a node's memory that EMR gives to YARN: 12,288 of 16,384 MiB of an m5.xlarge (EMR release guide, task
configuration)."""

HEADROOM = 1.4
"""Python's memory over the highest that was seen: no photo of tens of megabytes was among those measured."""

HEAP_A_SLOT = 8 * int(REQUIRED["spark.sql.execution.arrow.maxBytesPerBatch"]) >> 20
"""MiB of Java's heap for a task: batches on their way to Python and back, row groups read and written."""

STEP = 256
"""MiB that memory is rounded to."""


@dataclass(frozen=True)
class Work:
    """New photos of so many bytes each, on average, in chunks of so many photos."""

    photos: int
    photo_bytes: int
    chunk_photos: int

    @classmethod
    def of(cls, photos: int, photo_bytes: int, bounds: ChunkSettings) -> Work:
        """In chunks that stay within both bounds."""
        most = max(1, min(bounds.max_photos, bounds.max_bytes // photo_bytes))
        return cls(photos, photo_bytes, min(most, photos))

    @property
    def bytes(self) -> int:
        return self.photos * self.photo_bytes

    @property
    def chunks(self) -> int:
        return math.ceil(self.photos / self.chunk_photos)

    @property
    def chunk_tasks(self) -> int:
        """Tasks in which silver embeds a chunk."""
        return math.ceil(self.chunk_photos * self.photo_bytes / SPLIT)


@dataclass(frozen=True)
class Seconds:
    """Where a run's seconds go: those that more nodes don't shorten first."""

    fixed: float
    chunks: float
    driver: float
    listing: float
    reading: float
    cores: float

    @property
    def serial(self) -> float:
        """However many nodes there are."""
        return self.fixed + self.chunks + self.driver + self.listing

    @property
    def total(self) -> float:
        return sum(getattr(self, field.name) for field in fields(self))


def core_seconds(work: Work, measured: Calibration) -> float:
    """Of one measured core, for a photo. Bytes beyond those that were measured count as decoding; a smaller
    photo counts as one that was measured."""
    more = max(0, work.photo_bytes - measured.photo_bytes)
    return measured.core_seconds + more * measured.byte_seconds


def seconds(
    work: Work, measured: Calibration, storage: Storage, *, slots: int, cores: float
) -> Seconds:
    """Of a run with so many task slots, which do as much as so many measured cores."""
    waves = math.ceil(work.chunk_tasks / slots)
    use = work.chunk_tasks / (waves * slots)
    return Seconds(
        fixed=measured.fixed_seconds,
        chunks=work.chunks * measured.chunk_seconds,
        driver=work.photos * measured.driver_seconds,
        listing=math.ceil(work.photos / LIST_PAGE) * storage.s3_first_byte_seconds,
        reading=work.photos * storage.s3_first_byte_seconds / (slots * READERS),
        cores=work.photos
        * core_seconds(work, measured)
        / (cores * (1 if slots == 1 else measured.efficiency) * use),
    )


def chunk_for(
    work: Work, measured: Calibration, storage: Storage, *, slots: int, cores: float
) -> int:
    """Photos a chunk of which its gates and commits are `CHUNK_SHARE` of what the nodes do for it."""
    computed = core_seconds(work, measured) / (cores * measured.efficiency)
    read = storage.s3_first_byte_seconds / (slots * READERS)
    return math.ceil(measured.chunk_seconds / CHUNK_SHARE / (computed + read))


@dataclass(frozen=True)
class Memory:
    """Of a node, in MiB: what YARN gives (`container`), the heap of its executor, what Python workers have
    beside it (`overhead`), and the driver's. `driver_alone`: that has no room beside an executor, and takes a
    node of its own."""

    container: int
    heap: int
    overhead: int
    driver: int
    driver_alone: bool

    @property
    def has_driver(self) -> bool:
        """Whether a node has room for the driver at all."""
        return self.driver <= self.container


def memory(instance: Instance, work: Work, measured: Calibration, *, driver: int) -> Memory:
    """One executor a node, with a task slot for each vCPU, beside a driver of so many MiB.

    YARN puts the driver on one of the nodes, so all leave room for it where Java has enough left. Each Python
    worker holds the objects of a chunk, which are broadcast to it.
    """
    container = int(instance.memory_gib * 1024 * YARN_SHARE)
    worker = measured.worker_bytes + work.chunk_photos * measured.driver_bytes
    overhead = _steps(instance.vcpus * worker * HEADROOM / (1 << 20))
    heap = (container - driver - overhead) // STEP * STEP
    if heap >= instance.vcpus * HEAP_A_SLOT:
        return Memory(container, heap, overhead, driver, driver_alone=False)
    whole = (container - overhead) // STEP * STEP
    return Memory(container, whole, overhead, driver, driver_alone=True)


def driver_overhead(work: Work, measured: Calibration) -> int:
    """MiB that the driver's Python needs beside Java's heap: it holds each landing object that is listed."""
    held = measured.memory_bytes["driver"] + work.photos * measured.driver_bytes
    return _steps(held * HEADROOM / (1 << 20))


def most_objects(instance: Instance, measured: Calibration, *, driver_heap: int) -> float:
    """Landing objects that a driver with so many MiB of heap, alone on a node, can hold."""
    room = instance.memory_gib * 1024 * YARN_SHARE - driver_heap
    held = room * (1 << 20) / HEADROOM - measured.memory_bytes["driver"]
    return max(0.0, held / measured.driver_bytes)


def _steps(mebibytes: float) -> int:
    return math.ceil(mebibytes / STEP) * STEP


@dataclass(frozen=True)
class StorageNeed:
    """What S3 has to do with a run, and what it holds after it: requests, and bytes."""

    gets: int
    puts: int
    held: int

    def requests_cost(self, storage: Storage) -> float:
        """Dollars, with a KMS request for each of S3: a bucket key makes them fewer."""
        requests = self.gets + self.puts
        return (
            self.gets * storage.s3_get_1000 / 1000
            + self.puts * storage.s3_put_1000 / 1000
            + requests * storage.kms_10000 / 10_000
        )

    def month_cost(self, storage: Storage) -> float:
        """Dollars a month."""
        return self.held / 1e9 * storage.s3_gb_month


def stored(work: Work, *, dimensions: int, components: int) -> StorageNeed:
    """Each photo is read from landing once, and its row from staging and from bronze; a file is written to
    staging and to bronze for each `SPLIT`. Landing and bronze hold the bytes, silver and gold float32."""
    splits = math.ceil(work.bytes / SPLIT)
    pages = math.ceil(work.photos / LIST_PAGE)
    values = work.photos * (dimensions + components) * 4
    return StorageNeed(work.photos + 2 * splits, pages + 2 * splits, 2 * work.bytes + values)
