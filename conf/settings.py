"""The settings of a run: typed, frozen, and validated once.

conf/setting_sources.py brings their values together, from TOML files, environment variables and flags. Code
beyond this room takes a setting from these objects, never from the environment or a `dict["key"]`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from conf.bad_values import problems_of, raise_all
from conf.cluster_settings import EmrSettings, SparkSettings
from conf.label_settings import LabelSettings
from conf.pipeline_settings import (
    ChunkSettings,
    GateSettings,
    ModelSettings,
    PcaSettings,
    PhotoSettings,
    RefitSettings,
    TrainingSettings,
)
from conf.section import Section
from conf.setting_sources import SettingSource, gathered
from conf.storage_settings import (
    BucketSettings,
    CompactionSettings,
    DeltaSettings,
    LandingSettings,
    LeaseSettings,
    MonitoringSettings,
    PathSettings,
    RetentionSettings,
    SubjectSettings,
)

__all__ = [
    "BucketSettings",
    "ChunkSettings",
    "CompactionSettings",
    "DeltaSettings",
    "EmrSettings",
    "GateSettings",
    "LabelSettings",
    "LandingSettings",
    "LeaseSettings",
    "LoadedSettings",
    "ModelSettings",
    "MonitoringSettings",
    "PathSettings",
    "PcaSettings",
    "PhotoSettings",
    "RefitSettings",
    "RetentionSettings",
    "Settings",
    "SparkSettings",
    "SubjectSettings",
    "TrainingSettings",
    "load",
]


class Settings(Section):
    """All settings. Make them with `Settings.load`."""

    paths: PathSettings
    subjects: SubjectSettings
    spark: SparkSettings
    delta: DeltaSettings
    lease: LeaseSettings
    compaction: CompactionSettings
    landing: LandingSettings
    labels: LabelSettings
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
    ) -> Settings:
        """Return the settings as the function `load` of this module does. Raises BadSettings as it does."""
        return load(conf, environment=environment, overrides=overrides).settings


@dataclass(frozen=True)
class LoadedSettings:
    """The settings with their sources.

    `origins` has the source of each value by its `section.key`, and for Spark's own keys by
    `spark.config.KEY`; what has none is a default. `lowest` is the lowest of the files, and `lowest_values`
    are its values by the same keys.
    """

    settings: Settings
    origins: Mapping[str, SettingSource]
    lowest: SettingSource
    lowest_values: Mapping[str, Any]


def load(
    conf: str,
    *,
    environment: Mapping[str, str] = os.environ,
    overrides: Sequence[str] = (),
) -> LoadedSettings:
    """Return the settings of `conf` under the environment's and the `section.key=value` overrides.

    `conf` is `local`, `emr` or the path of a TOML file (conf/setting_files.py). Raises BadSettings with all
    that is wrong: a file that is missing or isn't TOML, keys that are unknown, values that are missing or
    can't be used.
    """
    found = gathered(Settings, conf, environment=environment, overrides=overrides)
    error, settings = None, None
    try:
        settings = Settings.model_validate(found.values)
    except ValidationError as raised:
        error = raised
    raise_all([*found.problems, *problems_of(found, error)])
    assert settings is not None, error  # every error of pydantic's is told by a sentence
    return LoadedSettings(settings, found.origins, found.files[0], found.lowest)
