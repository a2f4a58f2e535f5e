"""The prices and the measured rates that plan and report calculate with.

Prices stand in conf/prices.toml, rates in conf/calibration.json.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from conf.errors import BadInput, BadSettings
from conf.section import AboveZero, Positive, Section
from conf.setting_files import HERE
from conf.setting_schema import form_at

PRICES = HERE / "prices.toml"
CALIBRATION = HERE / "calibration.json"

Amount = Annotated[float, Field(ge=0)]


class Instance(Section):
    """An instance type. Its prices are in dollars an hour.

    `on_demand` and `spot` are the prices of EC2, and `emr` is the price of EMR that is added to either.
    `core_speed` is the speed of a physical core, as a multiple of a core of the machine that was measured.
    """

    vcpus: Positive
    threads_per_core: Literal[1, 2]
    core_speed: AboveZero
    memory_gib: AboveZero
    architecture: Literal["x86_64", "aarch64"]
    on_demand: AboveZero
    spot: AboveZero
    emr: Amount

    @property
    def power(self) -> float:
        """The speed of all its cores together, as a number of cores of the machine that was measured."""
        return self.vcpus / self.threads_per_core * self.core_speed


class Storage(Section):
    """Prices of storage in dollars, and the seconds to the first byte of an object in S3.

    A name says what the price is for: a GB and month, 1,000 or 10,000 requests.
    """

    s3_gb_month: Amount
    s3_put_1000: Amount
    s3_get_1000: Amount
    s3_first_byte_seconds: Amount
    kms_10000: Amount
    ebs_gb_month: Amount


class Source(Section):
    """The source of a price: what it is, where it was read, and its date."""

    what: str
    where: str
    date: str
    verified: bool


class Prices(Section):
    """The contents of conf/prices.toml. The keys of `instances` are the names of instance types."""

    region: str
    instances: Annotated[dict[str, Instance], Field(min_length=1)]
    storage: Storage
    sources: dict[str, Source]


class Calibration(Section):
    """What the benchmark measured with one extractor (benchmarks/calibration_file.py).

    `core_seconds` is the time of one core for one more photo of `photo_bytes`, from landing to gold;
    `byte_seconds` is the time for one more byte of it, and `roofline_seconds` the part of `core_seconds` for
    decoding and inference. `driver_seconds` and `driver_bytes` are the driver's time and memory for each
    landing object. `chunk_seconds` is the time for one more chunk, `fixed_seconds` that of a run without its
    chunks. `efficiency` is the rate of two executors that embed, as a share of twice the rate of one.
    `others` is the share of the machine that other programs used meanwhile.
    """

    date: str
    cpu: str
    machine: str
    cores: Positive
    threads_per_core: int | None
    code_revision: str
    weights: str
    dimensions: Positive
    sizes: tuple[int, int]
    rounds: Positive
    others: Amount
    photo_bytes: Positive
    roofline_seconds: AboveZero
    core_seconds: AboveZero
    byte_seconds: Amount
    driver_seconds: Amount
    driver_bytes: AboveZero
    fixed_seconds: Amount
    chunk_seconds: Amount
    efficiency: Annotated[float, Field(gt=0, le=1)]
    memory_bytes: dict[str, int]

    @property
    def worker_bytes(self) -> float:
        """The peak memory in bytes of a task's Python worker and its decoder process."""
        return self.memory_bytes["workers"] / self.cores


def prices(file: Path = PRICES) -> Prices:
    """Return the prices in a file. Raises BadSettings where it is missing or holds a bad value."""
    return _read(file, tomllib.loads, Prices)


def calibration(extractor: str, file: Path = CALIBRATION) -> Calibration:
    """Return the measured rates of an extractor.

    Raises BadInput where the extractor wasn't measured, and BadSettings where the file is missing or holds a
    bad value.
    """
    measured = _read(file, json.loads, dict[str, Calibration])
    if extractor not in measured:
        raise BadInput(
            f"{file.name} has no rate of {extractor}; name another with --extractor "
            f"({', '.join(sorted(measured))}), or measure it: python benchmarks/throughput.py --extractor "
            f"{extractor} --calibration conf/{file.name}."
        )
    return measured[extractor]


def _read(file: Path, parse: Any, expected: Any) -> Any:
    """Return the contents of a file, parsed and validated. Raises BadSettings with all that is wrong."""
    try:
        return TypeAdapter(expected).validate_python(parse(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadSettings(f"{file} can't be read ({error.strerror}); put it back.") from None
    except ValidationError as error:
        told = "; ".join(_told(expected, each) for each in error.errors())
        raise BadSettings(f"{file}: {told}; set it right.") from None
    except ValueError as error:  # TOMLDecodeError and JSONDecodeError are subclasses
        raise BadSettings(f"{file} can't be parsed ({error}); set it right.") from None


def _told(expected: Any, error: ErrorDetails) -> str:
    """Return what is wrong with one value, in our words."""
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "extra_forbidden":
        return f"{where} is unknown"
    return f"{where} is not {form_at(expected, error['loc'])}"
