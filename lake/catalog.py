"""Every table of the lake: its path, its grain and its columns. They are written down nowhere else.

Each table has the columns `run_id`, the run that wrote the row, and `chunk`, the number under which the row
was committed. No column that holds anything personal has statistics in the Delta log (see `properties`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal

from lake.enums import BRONZE, GOLD, SILVER

if TYPE_CHECKING:
    from pyspark.sql.types import DataType, StructType

    from conf.settings import DeltaSettings


def schema(columns: str) -> StructType:
    """Return the schema of rows with these columns, which are written as `name type, …`.

    It needs no Spark session, unlike Spark's own parser.
    """
    # Loaded here: whoever only reads tables needs no PySpark.
    from pyspark.sql.types import StructField, StructType

    types = _types()
    return StructType([StructField(name, types[kind]) for name, kind in _pairs(columns)])


def _pairs(columns: str) -> list[tuple[str, str]]:
    """Return (name, type) of each of some columns."""
    pairs = (column.split() for column in columns.split(","))
    return [(name, kind) for name, kind in pairs]


@cache
def _types() -> Mapping[str, DataType]:
    """Return the types of columns, by the words that stand for them here."""
    from pyspark.sql import types

    return {
        "string": types.StringType(),
        "boolean": types.BooleanType(),
        "int": types.IntegerType(),
        "bigint": types.LongType(),
        "double": types.DoubleType(),
        "binary": types.BinaryType(),
        "date": types.DateType(),
        "timestamp": types.TimestampType(),
        "array<float>": types.ArrayType(types.FloatType()),
        "array<double>": types.ArrayType(types.DoubleType()),
        "array<bigint>": types.ArrayType(types.LongType()),
        "array<string>": types.ArrayType(types.StringType()),
        "map<string-bigint>": types.MapType(types.StringType(), types.LongType()),
        "map<string-double>": types.MapType(types.StringType(), types.DoubleType()),
    }


@dataclass(frozen=True)
class Table:
    """One Delta table. `name` is its path under the lake's root, and `grain` says what one row is.

    `numbers` says what the commits are numbered by: the number of their chunk, or a count. The number keeps a
    commit from being made twice, and from being made after a takeover. It is None for a journal, whose rows
    carry their own order.
    """

    name: str
    grain: str
    columns: str
    partition_by: tuple[str, ...] = ()
    numbers: Literal["chunk", "count", None] = None

    @property
    def is_small(self) -> bool:
        """Whether the driver itself reads and writes the rows, with delta-rs: journals, models, moments,
        tombstones, erasures and the index of keys. The rows of the other tables, those of photos, are for
        Spark to move."""
        return self.numbers != "chunk"

    @cached_property
    def schema(self) -> StructType:
        """The schema of the table's rows, with `run_id` and `chunk` as the first columns."""
        return schema(f"run_id string, chunk bigint, {self.columns}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns in the order of `schema`, without Spark."""
        return ("run_id", "chunk", *(name for name, _ in _pairs(self.columns)))


OBJECTS = Table(
    "bronze/objects",
    "one version of a landing object that was seen",
    """object string, etag string, subject string, outcome string, photo_id string,
    seen_at timestamp, label string, split string, path string, left_at timestamp""",
    numbers="chunk",
)
PHOTOS = Table(
    "bronze/photos",
    "one photo",
    """photo_id string, subject string, label string, path string, format string, width int,
    height int, taken_on date, uploaded_at timestamp, size_bytes bigint, content binary,
    ingested_at timestamp, original string, split string""",
    numbers="chunk",
)
REJECTED = Table(
    "bronze/rejected",
    "one refused object version",
    """object string, subject string, path string, size_bytes bigint, uploaded_at timestamp,
    reason string, detail string, rejected_at timestamp, read_by string""",
    numbers="chunk",
)
KNOWN_KEYS = Table(
    "bronze/known_keys",
    "one key of an object version or a stored photo that bronze/objects had up to through_chunk",
    """key binary, of string, label string, split string, through_chunk bigint,
    table_version bigint""",
    numbers="count",
)
EMBEDDINGS = Table(
    "silver/embeddings",
    "one (photo, model)",
    """photo_id string, subject string, label string, embedding array<float>, extractor string,
    weights_id string, width int, height int, brightness double, sharpness double, dhash bigint,
    embedded_at timestamp""",
    partition_by=("weights_id",),
    numbers="chunk",
)
QUARANTINE = Table(
    "silver/quarantine",
    "one refusal of a (photo, model); it holds until replayed_at",
    """photo_id string, subject string, label string, weights_id string, stage string,
    reason string, detail string, quarantined_at timestamp, replayed_at timestamp""",
    numbers="chunk",
)
MOMENTS = Table(
    "gold/moments",
    "one weights_id: the sufficient statistics of its embeddings up to through_chunk",
    """weights_id string, n bigint, shift binary, sum binary, gram binary, through_chunk bigint,
    table_version bigint""",
    numbers="count",
)
MODELS = Table(
    "gold/models",
    "one model version",
    """version string, kind string, extractor string, source_sha256 string, precision string,
    weights_id string, algorithm string, input string, through_chunk bigint,
    embeddings_version bigint, photos bigint, dimensions int, components int,
    explained_variance double, variance double, scree array<double>,
    principal_angles array<double>, mean binary, scale binary, basis binary, parameters binary,
    reference string, labels array<string>, confusion array<bigint>, metrics map<string-double>,
    settings string, reason string, status string, supersedes string, drift double,
    created_at timestamp, model_sha256 string, pixels string""",
    numbers="count",
)
FEATURES = Table(
    "gold/features",
    "one (photo, PCA version)",
    """photo_id string, subject string, label string, features array<float>, model_version string""",
    numbers="chunk",
)
HELD_OUT = Table(
    "gold/held_out",
    "one photo that one classifier version was tested on",
    """photo_id string, subject string, label string, scene bigint, fold int, predicted string,
    confidence double, model_version string, labelled_at timestamp, learned boolean""",
    numbers="chunk",
)
RUNS = Table(
    "ops/runs",
    "one layer of one run",
    """layer string, status string, started_at timestamp, finished_at timestamp,
    counts map<string-bigint>, photos_per_second double, metrics map<string-double>,
    settings_hash string, code_revision string, error string""",
)
CHUNKS = Table(
    "ops/chunks",
    "one state that one chunk of one layer reached",
    """layer string, state string, weights_id string, model_version string, source_from bigint,
    source_to bigint, photos bigint, bytes bigint, versions map<string-bigint>, at timestamp,
    entry bigint""",
)
DRIFT = Table(
    "ops/drift",
    "one gold chunk against what its PCA version was fitted on",
    """weights_id string, model_version string, photos bigint, mean_shift double,
    reconstruction double, label_mix double, brightness double, components array<double>,
    measured_at timestamp""",
)
QUALITY = Table(
    "ops/quality",
    "one expectation of one gate",
    """suite string, expectation string, severity string, success boolean, observed string,
    unexpected_count bigint, element_count bigint, table_version bigint, action string,
    judged_at timestamp""",
)

TOMBSTONES = Table(
    "privacy/tombstones",
    "one tombstone that one request made: a subject, or a photo, that may not come again",
    """tombstone string, of string, request string, reason string, made_at timestamp,
    expires_at timestamp, lifted_at timestamp""",
    numbers="count",
)
ERASURES = Table(
    "privacy/erasures",
    "one state that one request for erasure reached",
    """request string, state string, mode string, subject string, photo_ids array<string>,
    counts map<string-bigint>, versions_before map<string-bigint>,
    versions_after map<string-bigint>, due_at timestamp, certificate string, at timestamp,
    entry bigint, exact boolean, mentions bigint, of_photo boolean, certificates bigint, head string,
    acknowledged array<string>, hmac string""",
    numbers="count",
)

TABLES = (
    OBJECTS,
    PHOTOS,
    REJECTED,
    KNOWN_KEYS,
    EMBEDDINGS,
    QUARANTINE,
    MOMENTS,
    MODELS,
    FEATURES,
    HELD_OUT,
    RUNS,
    CHUNKS,
    DRIFT,
    QUALITY,
    TOMBSTONES,
    ERASURES,
)

LAYER_OF: Mapping[Table, str] = {PHOTOS: BRONZE, EMBEDDINGS: SILVER, FEATURES: GOLD}
"""The tables that hold the photos of a layer's chunks, each with its layer."""


def properties(table: Table, delta: DeltaSettings) -> Mapping[str, str]:
    """Return the Delta properties of a table.

    Only columns that hold nothing personal have statistics. By default, the smallest and the largest
    `photo_id`, `subject` and `path` of each file would stand in the log, its checksums and its checkpoints.
    In-commit timestamps make time travel independent of the files' modification times. delta-rs can't commit
    to a table that has them; the rows of a small table have times of their own.
    """
    timestamps = {} if table.is_small else {"delta.enableInCommitTimestamps": "true"}
    return timestamps | {
        "delta.enableDeletionVectors": "false",
        "delta.enableChangeDataFeed": "false",
        "delta.dataSkippingStatsColumns": "chunk,run_id",
        # To write a checkpoint takes a second, which is longer than to read fifty small commits.
        "delta.checkpointInterval": "50",
        "delta.deletedFileRetentionDuration": f"interval {delta.deleted_file_retention}",
        "delta.logRetentionDuration": f"interval {delta.log_retention}",
    }
