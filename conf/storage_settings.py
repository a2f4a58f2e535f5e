"""The settings of the lake's storage: where it lies, its files, its one writer, its buckets, and its ages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from conf import day_pattern
from conf.section import AboveZero, Age, Form, Positive, Section, Share


class PathSettings(Section):
    """The folders of arriving photos, of the lake and of Data Docs."""

    landing: str
    """The folder where photos arrive: a local folder, `s3://bucket/prefix` or `s3://bucket`."""

    lake: str
    """The folder of the tables: a local folder or `s3://bucket/prefix`."""

    docs: str
    """The folder of Data Docs, local or `s3://bucket/prefix`. `{lake}` stands for the lake's folder."""

    working: str
    """The local folder of working files, which may hold photos and names while a run goes on. An erasure
    searches it for what killed runs left. Empty: where the system keeps temporary files."""

    @property
    def docs_folder(self) -> str:
        """The folder of Data Docs: `docs` with the lake's root filled in."""
        return self.docs.replace("{lake}", self.lake.rstrip("/"))


def _globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    if not all(each.strip("/") for each in globs):
        raise ValueError("a glob for nothing")
    return globs


OTHER_WAYS = ("after", "queue", "inventory")
"""The settings that name a way to find new objects without a listing of the whole landing folder."""


class LandingSettings(Section):
    """What is taken from the landing folder, and how new objects are found there: by a listing of all of it,
    unless `after`, `queue` or `inventory` names another
    way."""

    passed_over: Annotated[
        tuple[str, ...],
        AfterValidator(_globs),
        Form('a list of globs, none of them empty, such as ["@eaDir", "papers/*.jpg"]'),
    ]
    """The files and folders that are no photos of anybody's, as globs without regard to case: they get no row
    in any table, and are counted apart. A glob without a slash matches a name anywhere in the path, one with
    a slash, other than at its end, a path from the landing folder on. A folder goes with all that it holds;
    `*` stands for no slash, `**` for any number of folders."""

    after: Annotated[
        str,
        AfterValidator(day_pattern.checked),
        Form(
            'a pattern with year, month and day in this order, such as "%Y/%m/%d/" or "uploads/%Y-%m-%d" (or '
            "%Y and %j, the day of the year), that begins with no slash, or an empty text"
        ),
    ] = ""
    """What the names of objects begin with, below the landing folder, by their day (UTC). A run lists the
    names of the days since the last run, less `look_back`, and what comes after them. Empty: no such way."""

    look_back: Annotated[int, Field(ge=0, le=3650)] = 3
    """How many days before the last run a run looks again, for objects that arrive late under the name of an
    earlier day. Only with `after`."""

    queue: Annotated[
        str,
        Field(pattern=r"^(arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80})?$"),
        Form("the ARN of a standard queue of SQS (arn:aws:sqs:…), or an empty text"),
    ] = ""
    """The ARN of the SQS queue that gets the events of the landing folder in S3. A run looks at the objects
    that its messages name, and deletes these afterwards. Empty: no such way."""

    inventory: Annotated[
        str,
        Field(pattern="^(s3://[^/]+(/.*)?)?$"),
        Form("an address such as s3://bucket/prefix, or an empty text"),
    ] = ""
    """The address below which S3 Inventory writes what the bucket of the landing folder holds. A run looks at
    what the newest one lists. Empty: no such way."""

    whole_listing: Annotated[int, Field(ge=1, le=3650)] = 7
    """After so many days a run lists the whole landing folder again, which finds what another way missed.
    Only with another way."""

    @property
    def other_ways(self) -> list[str]:
        """The names of the settings that are set and name another way than to list the whole folder."""
        return [name for name in OTHER_WAYS if getattr(self, name)]


def _plain_keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    if any(key.strip().casefold() in ("", "subject", "label") for key in keys):
        raise ValueError("not a plain key")
    return keys


class SubjectSettings(Section):
    """The people in the photos: the key behind their pseudonyms, and how their names are read."""

    key: str
    """The place of the key, never the key itself: `file:PATH`, `env:NAME` (an environment variable) or
    `aws-secret:ARN`. In the path, `{lake}` stands for the lake's folder."""

    tombstone_keys: Annotated[
        tuple[str, ...], Form('a list of places of keys, such as ["file:earlier.key"]')
    ]
    """The places of the keys that this lake had before (`rekey`), and of the keys of other lakes whose
    tombstones it imports (`tombstones import`), each written as that of `subjects.key`. Without them nobody
    whom they keep out would be recognised, so a command that needs the lake's key needs them too."""

    case: Literal["kept", "folded"]
    """Whether `Anna` and `anna` are two names (`kept`) or one (`folded`), of people and of labels. It is
    decided when a lake is made, and recorded in its `lake.json`: later values don't change that lake."""

    plain_keys: Annotated[
        tuple[str, ...],
        AfterValidator(_plain_keys),
        Form('a list of keys other than subject and label, such as ["client", "user-guide"]'),
    ]
    """Keys of folders, such as `client` in `client=web`, or whole names of folders, that look like a
    person's and are none. The lake's `lake.json` records them, and keeps those that it has recorded."""


class DeltaSettings(Section):
    """How long every Delta table keeps what an earlier version needs."""

    deleted_file_retention: str
    """How long files of earlier versions are kept: an SQL interval such as `7 days`."""

    log_retention: str
    """How long the log of a table's versions is kept: an SQL interval such as `30 days`."""


class LeaseSettings(Section):
    """The lease, by which only one process writes to the lake at a time."""

    seconds: AboveZero
    """After so many seconds without a renewal of the lease, another process may write."""


class CompactionSettings(Section):
    """The compaction of tables: many small files are joined into few large ones."""

    small_files: Positive
    """The small files of a table are joined when it has so many of them."""


class RetentionSettings(Section):
    """The longest ages of data. Only `run.py retain` applies them."""

    photos: Age
    """The longest age of a photo, since it arrived in bronze/photos; everything made from it goes too."""

    rejected: Age
    """The longest age of a row of bronze/rejected: a file that was no usable photo."""

    journals: Age
    """The longest age of a row of ops/runs, ops/drift and ops/quality."""

    audits: Age
    """The longest age of the records of audits, under privacy/audits."""

    tombstones: Age
    """The time after which a new tombstone expires, which keeps the photos of an erased person out."""


class BucketSettings(Section):
    """What a bucket must be before anything in it is read or written."""

    regions: Annotated[tuple[str, ...], Field(min_length=1)]
    """The regions of AWS in which a bucket may lie."""

    encryption: Literal["kms", "any", "none"]
    """The default encryption that a bucket must have: `kms`, `any`, or `none` where it doesn't matter."""

    private: bool
    """Whether all four blocks of public access must be on."""


class MonitoringSettings(Section):
    """The metrics in CloudWatch, and the bounds of their alarms (emr/alarms.py)."""

    cloudwatch: Annotated[
        str,
        Field(pattern="^([A-Za-z0-9._/#:-]{1,255})?$"),
        Form("a name of at most 255 letters, digits and . _ / # : - or an empty text"),
    ]
    """The namespace in CloudWatch that gets the metrics of each run. While it is empty, none are sent."""

    topic: Annotated[
        str,
        Field(pattern="^(arn:aws:sns:.+)?$"),
        Form("the ARN of an SNS topic (arn:aws:sns:…), or an empty text"),
    ]
    """The ARN of the SNS topic that alarms notify. While it is empty, only the console of AWS shows them."""

    silent_hours: Annotated[int, Field(ge=1, le=168)]
    """An alarm goes off if no run ended in so many hours."""

    lag_hours: AboveZero
    """An alarm goes off if a photo waited so many hours in the landing folder."""

    refused_share: Share
    """An alarm goes off if more than this share of the photos were refused."""
