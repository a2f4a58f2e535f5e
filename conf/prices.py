"""What plan and report reckon with: prices of conf/prices.toml, and rates of conf/calibration.json."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from conf.errors import BadInput, BadSettings
from conf.settings import HERE, Positive, Section

PRICES = HERE / "prices.toml"
CALIBRATION = HERE / "calibration.json"

Amount = Annotated[float, Field(ge=0)]
Above = Annotated[float, Field(gt=0)]


class Instance(Section):
    """An instance type: dollars an hour on demand, as Spot, and EMR's own part of either.

    `core_speed`: of a physical core, in cores of the machine that was measured.
    """

    vcpus: Positive
    threads_per_core: Literal[1, 2]
    core_speed: Above
    memory_gib: Above
    architecture: Literal["x86_64", "aarch64"]
    on_demand: Above
    spot: Above
    emr: Amount

    @property
    def power(self) -> float:
        """What all its cores do together, in measured cores."""
        return self.vcpus / self.threads_per_core * self.core_speed


class Storage(Section):
    """Dollars a GB and month, a 1,000 or 10,000 requests; and the seconds to an object's first byte."""

    s3_gb_month: Amount
    s3_put_1000: Amount
    s3_get_1000: Amount
    s3_first_byte_seconds: Amount
    kms_10000: Amount
    ebs_gb_month: Amount


class Source(Section):
    """Where a price was read, and of when it is."""

    what: str
    where: str
    date: str
    verified: bool


class Prices(Section):
    """conf/prices.toml."""

    region: str
    instances: Annotated[dict[str, Instance], Field(min_length=1)]
    storage: Storage
    sources: dict[str, Source]


class Calibration(Section):
    """What the benchmark measured with one extractor (benchmarks/calibration.py), in seconds.

    `core_seconds`: of one core, for a photo more of `photo_bytes` from landing to gold; `byte_seconds`: for a
    byte more of it; `roofline_seconds`: what decoding and inference alone take of it. `driver_seconds`,
    `driver_bytes`: of the driver, for each landing object. `chunk_seconds`: for a chunk more;
    `fixed_seconds`: for a run. `efficiency`: of two executors that embed, against twice the
    rate of one. `others`: the share of the machine that other programs took.
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
    roofline_seconds: Above
    core_seconds: Above
    byte_seconds: Amount
    driver_seconds: Amount
    driver_bytes: Above
    fixed_seconds: Amount
    chunk_seconds: Amount
    efficiency: Annotated[float, Field(gt=0, le=1)]
    memory_bytes: dict[str, int]

    @property
    def worker_bytes(self) -> float:
        """Of a task's Python worker and its decoder, at their highest."""
        return self.memory_bytes["workers"] / self.cores


def prices(file: Path = PRICES) -> Prices:
    """Raises BadSettings: no such file, or not as it should be."""
    return _read(file, tomllib.loads, TypeAdapter(Prices))


def calibration(extractor: str, file: Path = CALIBRATION) -> Calibration:
    """Raises BadSettings, and BadInput where the extractor was not measured."""
    held = _read(file, json.loads, TypeAdapter(dict[str, Calibration]))
    if extractor not in held:
        raise BadInput(
            f"{file.name} has no rate of {extractor}; name another with --extractor "
            f"({', '.join(sorted(held))}), or measure it: python benchmarks/throughput.py --extractor "
            f"{extractor} --calibration conf/{file.name}."
        )
    return held[extractor]


def _read(file: Path, parse: Any, into: TypeAdapter[Any]) -> Any:
    try:
        return into.validate_python(parse(file.read_text()))
    except OSError as error:
        raise BadSettings(f"{file} can't be read ({error.strerror}); put it back.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadSettings(f"{file}: {where}: {first['msg']}; set it right.") from None
    except ValueError as error:  # TOMLDecodeError and JSONDecodeError are of it
        raise BadSettings(f"{file} can't be parsed ({error}); set it right.") from None
