"""Settings: a TOML file, environment variables over it, flags over both, validated once.

Below this module nothing reads the environment or a `dict["key"]`: settings are frozen objects.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from conf.errors import BadSettings, hint

HERE = Path(__file__).parent
ENVIRONMENT_PREFIX = "FRUIT_LAKE__"

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]


def _age(text: str) -> str:
    if text and not re.fullmatch("[1-9][0-9]{0,3} (day|week|month|year)s?", text):
        raise ValueError("write an age as `90 days` or `3 years`, or leave it empty: kept for good")
    return text


Age = Annotated[str, AfterValidator(_age)]
"""So many days, weeks, months or years; empty: kept for good."""


class Section(BaseModel):
    """One table of the TOML file. Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PathSettings(Section):
    """Where photos arrive, where the tables live, and where Data Docs go: folders, or `s3://bucket/prefix`.

    In `docs`, `{lake}` stands for the lake root.
    """

    landing: str
    lake: str
    docs: str

    @property
    def docs_folder(self) -> str:
        """`docs` with the lake's root in its place."""
        return self.docs.replace("{lake}", self.lake.rstrip("/"))


class SubjectSettings(Section):
    """The key behind the pseudonyms: `env:NAME` or `file:PATH`; `{lake}` stands for the lake root."""

    key: str


class SparkSettings(Section):
    """How the session starts. `packages` are Maven artifacts that it fetches, `s3_packages` those that a lake
    in S3 needs beside them; a cluster has both. `config` is handed to Spark as it is."""

    master: str | None = None
    packages: str = ""
    s3_packages: str = ""
    config: dict[str, str] = {}


class DeltaSettings(Section):
    """Properties of every table. Retentions are SQL intervals, such as `7 days`."""

    deleted_file_retention: str
    log_retention: str


class LeaseSettings(Section):
    """`seconds`: the silence after which a writer has lost the lake to the next one."""

    seconds: Annotated[float, Field(gt=0)]


class CompactionSettings(Section):
    """`small_files`: how many a table may gather before they are joined."""

    small_files: Positive


class ChunkSettings(Section):
    """The bounds of one chunk, in bytes and in photos, and of one task that reads landing objects."""

    max_bytes: Positive
    max_photos: Positive
    task_bytes: Positive
    task_photos: Positive


class PhotoSettings(Section):
    """Limits that hold before and while a photo is decoded. Pixels, bytes, luminance levels, seconds."""

    max_bytes: Positive
    max_pixels: Positive
    min_side: Positive
    blank_range: Annotated[int, Field(ge=0, le=255)]
    decode_seconds: Annotated[float, Field(gt=0, le=3600)]


class ModelSettings(Section):
    """The extractor by its file name in `silver/extractors`, and where its weights come from. `flatbuffer`:
    what was converted from them elsewhere, its lineage beside it; empty: it is converted in the run."""

    extractor: str
    weights: str
    flatbuffer: str = ""


class PcaSettings(Section):
    """Either a number of `components` or the share of `variance` they must explain."""

    components: Positive | None = None
    variance: Share | None = None
    scale: bool = False

    @model_validator(mode="after")
    def one_target(self) -> Self:
        if (self.components is None) == (self.variance is None):
            raise ValueError("give either pca.components or pca.variance, not both")
        return self


class RefitSettings(Section):
    """When a PCA is fitted anew. `growth`: new rows, as a share of those that the newest version was fitted
    on; `mean_shift`, `reconstruction`: the drift of a chunk (see gold/drift.py). `promote`: the new version
    becomes the champion at once; if not, it is a candidate."""

    growth: Annotated[float, Field(gt=0)]
    mean_shift: Annotated[float, Field(gt=0)]
    reconstruction: Annotated[float, Field(gt=0)]
    promote: bool


class TrainingSettings(Section):
    """`max_photos`: labelled photos that classifiers are fitted on at most, all in the driver's memory;
    `folds` of the cross-validation."""

    max_photos: Positive
    folds: Annotated[int, Field(ge=2)]


class GateSettings(Section):
    """`refused_share` blocks a chunk from `counted_from` rows on. A chunk's labels are compared with those of
    the last `history_chunks` before it."""

    refused_share: Share
    counted_from: Positive
    history_chunks: Positive


class RetentionSettings(Section):
    """The longest ages, which `run.py retain` applies. `photos`: from their arrival in bronze/photos, and
    what was made from one goes with it; `rejected`: bronze/rejected; `journals`: ops/runs, ops/drift and
    ops/quality; `audits`: the records under privacy/audits. `tombstones`: what a new one expires after."""

    photos: Age
    rejected: Age
    journals: Age
    audits: Age
    tombstones: Age


class BucketSettings(Section):
    """What a bucket must be before anything in it is read or written. `regions`: where it may lie;
    `encryption`: its default one, `kms`, `any`, or `none` where that doesn't matter; `private`: it has all
    four blocks of public access."""

    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    encryption: Literal["kms", "any", "none"]
    private: bool


class MonitoringSettings(Section):
    """`cloudwatch`: the namespace that gets each run's metrics; empty: none.

    Its alarms (emr/alarms.py) go to `topic`, the ARN of an SNS topic (empty: they are seen in the console
    alone): no run for `silent_hours`, a photo that waited `lag_hours` in the landing folder, more than
    `refused_share` refused, a drift beyond the bounds of `refit`, a run that failed, an erasure that is due.
    """

    cloudwatch: Annotated[str, Field(pattern="^([A-Za-z0-9._/#:-]{1,255})?$")]
    topic: Annotated[str, Field(pattern="^(arn:aws:sns:.+)?$")]
    silent_hours: Annotated[int, Field(ge=1, le=168)]
    lag_hours: Annotated[float, Field(gt=0)]
    refused_share: Share


class EmrSettings(Section):
    """The cluster of `run.py emr`.

    `artifacts`: where packages and the cluster's logs go, `s3://bucket/prefix`. `kms_key`: the key that
    encrypts buckets and disks, an alias or an ARN; `certificates`: the PEM files for TLS between nodes, an
    `s3://` zip file. `subnets`: of one VPC, the fleet takes one. `primary`, `core`, `task`: instance types,
    of which the fleet takes what is to be had; `core_nodes` are on demand, up to `task_nodes` more are Spot.
    `idle_minutes`: the silence after which a cluster ends itself. `tags`: `key=value`.
    """

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,30}$")]
    region: str
    release: str
    artifacts: Annotated[str, Field(pattern="^s3://[^/]+/.+$")]
    kms_key: str
    certificates: str = ""
    subnets: tuple[str, ...]
    python: Literal["3.11", "3.12", "3.13"]
    primary: tuple[str, ...]
    core: tuple[str, ...]
    task: tuple[str, ...]
    core_nodes: Positive
    task_nodes: Annotated[int, Field(ge=0)]
    disk_gb: Positive
    idle_minutes: Annotated[int, Field(ge=1, le=10_080)]
    tags: tuple[str, ...] = ()


class Settings(Section):
    """Everything that can be set. `Settings.load` is the one way to make it."""

    paths: PathSettings
    subjects: SubjectSettings
    spark: SparkSettings
    delta: DeltaSettings
    lease: LeaseSettings
    compaction: CompactionSettings
    chunks: ChunkSettings
    photos: PhotoSettings
    model: ModelSettings
    pca: PcaSettings
    refit: RefitSettings
    training: TrainingSettings
    gates: GateSettings
    retention: RetentionSettings
    buckets: BucketSettings
    monitoring: MonitoringSettings
    emr: EmrSettings | None = None

    @property
    def digest(self) -> str:
        """A hash of all settings: two runs with the same digest were set alike."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @classmethod
    def load(
        cls,
        conf: str,
        *,
        environment: Mapping[str, str] = os.environ,
        overrides: Sequence[str] = (),
    ) -> Self:
        """Settings of `conf` (`local`, `emr` or a TOML file), under `section.key=value` overrides.

        Raises BadSettings: no such file, not TOML, an unknown key, a value out of range.
        """
        values = _toml(conf)
        for name, text in sorted(environment.items()):
            if name.startswith(ENVIRONMENT_PREFIX):
                key = name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
                _assign(values, key, text, source=name)
        for override in overrides:
            key, equals, text = override.partition("=")
            if not equals:
                raise BadSettings(f"--set {override}: write it as section.key=value.")
            _assign(values, key.strip(), text.strip(), source=f"--set {key.strip()}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            if first["type"] == "missing":
                raise BadSettings(f"{conf}: the settings lack {where}; add it.") from None
            what = f"{where} = {first['input']!r}: " if where and where != "pca" else ""
            raise BadSettings(f"{what}{first['msg']}.") from None


def _toml(conf: str) -> dict[str, Any]:
    path = Path(conf) if conf.endswith(".toml") else HERE / f"{conf}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in HERE.glob("*.toml")))
        raise BadSettings(f"--conf {conf}: no such settings; name one of {known} or a .toml file.")
    try:
        values = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: not valid TOML ({error}).") from None
    for key in _leaves(values):
        _check_known(key, source=str(path))
    return values


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    return [
        leaf
        for name, value in values.items()
        for leaf in (
            _leaves(value, f"{prefix}{name}.")
            if isinstance(value, dict) and f"{prefix}{name}" != "spark.config"
            else [f"{prefix}{name}"]
        )
    ]


def known_keys() -> list[str]:
    """Every `section.key` that settings can name."""
    return [f"{name}.{key}" for name in Settings.model_fields for key in _keys_of(name)]


def _keys_of(section: str) -> Mapping[str, FieldInfo]:
    """The keys of a section, also of one that may be left out (`Emr | None`)."""
    annotation = Settings.model_fields[section].annotation
    kinds = get_args(annotation) or (annotation,)
    return next(kind.model_fields for kind in kinds if issubclass(kind, Section))


def _check_known(key: str, *, source: str) -> None:
    known = known_keys()
    if key in known or key.startswith("spark.config."):
        return
    otherwise = f"the known keys are {', '.join(known)}."
    nearest = hint(key, known, otherwise=otherwise, cutoff=0.4)
    raise BadSettings(f"{source}: unknown key {key}; {nearest}")


def _assign(values: dict[str, Any], key: str, text: str, *, source: str) -> None:
    """Put a value given as text into the nested tables; numbers and booleans as TOML writes them.

    Of two keys that exclude one another (`pca.components`, `pca.variance`) the later one wins.
    """
    _check_known(key, source=source)
    section, _, rest = key.partition(".")
    table: dict[str, Any] = values.setdefault(section, {})
    if rest.startswith("config."):
        table.setdefault("config", {})[rest.removeprefix("config.")] = text
        return
    if section == "pca" and rest in ("components", "variance"):
        table.pop("components", None), table.pop("variance", None)
    table[rest] = text if _takes_text(section, rest) else _number(text)


def _takes_text(section: str, key: str) -> bool:
    field = _keys_of(section)[key].annotation
    kinds = () if get_origin(field) is tuple else get_args(field)
    return field is str or any(kind is str or isinstance(kind, str) for kind in kinds)


def _number(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
