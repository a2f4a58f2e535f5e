"""The settings of a run: typed, frozen, and validated once.

conf/setting_sources.py brings their values together, from a TOML file, environment variables and flags. Code
beyond this module takes a setting from these objects, never from the environment or a `dict["key"]`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from conf import setting_sources

HERE = setting_sources.HERE

Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=1)]


def _age(text: str) -> str:
    if text and not re.fullmatch("[1-9][0-9]{0,3} (day|week|month|year)s?", text):
        raise ValueError("write an age as `90 days` or `3 years`, or leave it empty: kept for good")
    return text


Age = Annotated[str, AfterValidator(_age)]
"""A number of days, weeks, months or years, such as `90 days`. An empty age means: kept for good."""


class Section(BaseModel):
    """One table of the TOML file. It is frozen, and it refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PathSettings(Section):
    """The folders of arriving photos, of the lake and of Data Docs: local folders or `s3://bucket/prefix`. In
    `docs`, `{lake}` stands for the lake's root."""

    landing: str
    lake: str
    docs: str

    @property
    def docs_folder(self) -> str:
        """The folder of Data Docs: `docs` with the lake's root filled in."""
        return self.docs.replace("{lake}", self.lake.rstrip("/"))


class SubjectSettings(Section):
    """The place of the key behind the pseudonyms: `env:NAME`, `aws-secret:ARN` or `file:PATH`. In the path,
    `{lake}` stands for the lake's root."""

    key: str


class SparkSettings(Section):
    """The Spark session. It fetches the Maven artifacts `packages`, and for a lake in S3 also `s3_packages`.
    A cluster has both already. `config` is passed to Spark as it is."""

    master: str | None = None
    packages: str = ""
    s3_packages: str = ""
    config: dict[str, str] = {}


class DeltaSettings(Section):
    """Retentions of every Delta table, as SQL intervals such as `7 days`."""

    deleted_file_retention: str
    log_retention: str


class LeaseSettings(Section):
    """The lease of the lake's one writer. After `seconds` without a renewal, another process may take it."""

    seconds: Annotated[float, Field(gt=0)]


class CompactionSettings(Section):
    """The compaction of tables. The small files of a table are joined when it has `small_files` of them."""

    small_files: Positive


class ChunkSettings(Section):
    """The largest size of a chunk, and of one task that reads landing objects, in bytes and in photos."""

    max_bytes: Positive
    max_photos: Positive
    task_bytes: Positive
    task_photos: Positive


class PhotoSettings(Section):
    """Limits for a photo. One outside them is refused.

    `max_bytes` is the size of its file, `max_pixels` is its width times its height, and `min_side` is its
    shorter side in pixels. A photo is blank if its luminance spans at most `blank_range` of 255 levels.
    `decode_seconds` is the time that its decoding may take.
    """

    max_bytes: Positive
    max_pixels: Positive
    min_side: Positive
    blank_range: Annotated[int, Field(ge=0, le=255)]
    decode_seconds: Annotated[float, Field(gt=0, le=3600)]


class ModelSettings(Section):
    """The extractor, by its module in `silver/extractors`, and the source of its weights. `flatbuffer` is the
    path of one that was converted elsewhere, with its lineage beside it; if it is empty, the run converts."""

    extractor: str
    weights: str
    flatbuffer: str = ""


class PcaSettings(Section):
    """The target of a PCA: a number of `components`, or the share of the `variance` that they explain.

    With `scale`, each column of the embeddings is divided by its standard deviation first.
    """

    components: Positive | None = None
    variance: Share | None = None
    scale: bool = False

    @model_validator(mode="after")
    def one_target(self) -> Self:
        """Raise ValueError unless exactly one target is given."""
        if (self.components is None) == (self.variance is None):
            raise ValueError("give either pca.components or pca.variance, not both")
        return self


class RefitSettings(Section):
    """The conditions for fitting a new PCA version; one that is met is enough.

    `growth` is the number of new photos, as a share of those that the newest version was fitted on.
    `mean_shift` and `reconstruction` are bounds for the drift of a chunk (gold/drift.py). With `promote`, the
    new version becomes the champion at once; otherwise it is a candidate.
    """

    growth: Annotated[float, Field(gt=0)]
    mean_shift: Annotated[float, Field(gt=0)]
    reconstruction: Annotated[float, Field(gt=0)]
    promote: bool


class TrainingSettings(Section):
    """The training of classifiers. They are fitted on at most `max_photos` labelled photos, which must fit
    in the driver's memory. `folds` is the number of folds of the cross-validation."""

    max_photos: Positive
    folds: Annotated[int, Field(ge=2)]


class GateSettings(Section):
    """The gates. A chunk of `counted_from` photos or more is blocked if more than `refused_share` of them are
    refused. A chunk's labels are compared with those of the `history_chunks` chunks before it."""

    refused_share: Share
    counted_from: Positive
    history_chunks: Positive


class RetentionSettings(Section):
    """The longest ages of data; only `run.py retain` applies them.

    `photos` counts from a photo's arrival in bronze/photos, and everything that was made from it goes too.
    `rejected` is for bronze/rejected; `journals` is for ops/runs, ops/drift and ops/quality; `audits` is for
    the records under privacy/audits. `tombstones` is the time after which a new tombstone expires.
    """

    photos: Age
    rejected: Age
    journals: Age
    audits: Age
    tombstones: Age


class BucketSettings(Section):
    """What a bucket must be before anything in it is read or written.

    It lies in one of `regions`. `encryption` is its default encryption: `kms`, `any`, or `none` where that
    doesn't matter. With `private`, all four blocks of public access are on.
    """

    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    encryption: Literal["kms", "any", "none"]
    private: bool


class MonitoringSettings(Section):
    """The metrics in CloudWatch and their alarms (emr/alarms.py).

    `cloudwatch` is the namespace that gets each run's metrics; if it is empty, none are sent. Alarms notify
    `topic`, the ARN of an SNS topic; if it is empty, only the console shows them. They go off if no run
    ended in `silent_hours`, if a photo waited `lag_hours` in the landing folder, if more than
    `refused_share` of the photos were refused, if a drift is over the bounds of `refit`, if a run failed, or
    if an erasure is due.
    """

    cloudwatch: Annotated[str, Field(pattern="^([A-Za-z0-9._/#:-]{1,255})?$")]
    topic: Annotated[str, Field(pattern="^(arn:aws:sns:.+)?$")]
    silent_hours: Annotated[int, Field(ge=1, le=168)]
    lag_hours: Annotated[float, Field(gt=0)]
    refused_share: Share


class EmrSettings(Section):
    """The cluster of `run.py emr`.

    `artifacts` is where packages and the cluster's logs go. `kms_key` encrypts buckets and disks; it is an
    alias or an ARN. `certificates` is a zip file in S3 with the PEM files for TLS between nodes. `subnets`
    are of one VPC, and the fleet takes one of them. `primary`, `core` and `task` are instance types; the
    fleet takes those that AWS has. The `core_nodes` are on demand, and up to `task_nodes` more are Spot. A
    cluster ends itself after `idle_minutes` without work. `tags` are written `key=value`.
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
    """All settings. Make them with `Settings.load`."""

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
        """A hash of all settings, 16 hex digits: equal settings have the same digest."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @classmethod
    def load(
        cls,
        conf: str,
        *,
        environment: Mapping[str, str] = os.environ,
        overrides: Sequence[str] = (),
    ) -> Self:
        """Return the settings of `conf` under the environment's and the `section.key=value` overrides.

        `conf` is `local`, `emr` or the path of a TOML file. Raises BadSettings where there is no such file,
        where it isn't TOML, where a key is unknown, or where a value is missing or out of range.
        """
        values = setting_sources.gathered(cls, conf, environment=environment, overrides=overrides)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise setting_sources.bad_value(error, conf=conf) from None


def known_keys() -> list[str]:
    """Return every `section.key` that the settings have."""
    return setting_sources.known_keys(Settings)
