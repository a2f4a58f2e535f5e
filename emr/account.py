"""The names that requests and policies are built from: the account, its key, our buckets, roles and tags."""

from __future__ import annotations

from dataclasses import dataclass

from conf.errors import BadInput, Refused
from conf.settings import EmrSettings, Settings
from lake import aws
from lake.storage import addresses
from lake.storage.addresses import is_s3

MANAGED = "for-use-with-amazon-emr-managed-policies"
"""A tag that EMR passes on to everything that it creates in EC2. The service role may only change what has
this tag."""

PACKAGES = "packages"
"""The folder for packages, under `emr.artifacts`."""

LOGS = "logs"
"""The folder for the logs of clusters, under `emr.artifacts`."""


@dataclass(frozen=True)
class S3Place:
    """A bucket and a prefix in it, as policies name them. ARNs of S3 contain neither account nor region."""

    bucket: str
    prefix: str

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:aws:s3:::{self.bucket}"

    def object_arns(self, *folders: str) -> list[str]:
        """The ARN patterns of all objects under the prefix, or under these folders of it."""
        root = f"{self.bucket_arn}/{self.prefix}".rstrip("/")
        own = [root] if self.prefix else []
        return [f"{root}/{name}/*" for name in folders] or [*own, f"{root}/*"]


@dataclass(frozen=True)
class S3Places:
    """The places in S3 that the settings name.

    `docs` is the place of the Data Docs; it is None where they lie within the lake.
    """

    landing: S3Place
    lake: S3Place
    artifacts: S3Place
    docs: S3Place | None

    @property
    def data(self) -> list[S3Place]:
        """The places that the layers read or write, which hold photos or what was made from them."""
        return [self.landing, self.lake, *([self.docs] if self.docs else [])]

    @property
    def buckets(self) -> list[str]:
        """The names of all buckets, without duplicates."""
        return list(dict.fromkeys(place.bucket for place in [*self.data, self.artifacts]))


@dataclass(frozen=True)
class Account:
    """An AWS account in one region. `number` has 12 digits; `key_arn` is the ARN of the KMS key."""

    number: str
    region: str
    key_arn: str

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.number}:{resource}"

    def role_arn(self, name: str) -> str:
        """The ARN of a role, which has no region because IAM has none."""
        return f"arn:aws:iam::{self.number}:role/{name}"


def places(settings: Settings, emr_settings: EmrSettings) -> S3Places:
    """Return the places of the landing folder, the lake, the artifacts and the Data Docs.

    Raises BadInput where landing or lake is a local folder, or where two of landing, lake and artifacts share
    a bucket. Whoever may list a bucket sees every name in it, and names in the landing folder tell about
    people.
    """
    for key, uri in (("landing", settings.paths.landing), ("lake", settings.paths.lake)):
        if not is_s3(uri):
            raise BadInput(
                f"paths.{key} = {uri} is on this machine, which a cluster can't read; name an address such "
                f"as s3://bucket/prefix."
            )
    uris = (settings.paths.landing, settings.paths.lake, emr_settings.artifacts)
    landing = S3Place(*addresses.bucket_and_prefix(uris[0], may_be_bucket=True))
    lake, artifacts = (S3Place(*addresses.bucket_and_prefix(uri)) for uri in uris[1:])
    if len({landing.bucket, lake.bucket, artifacts.bucket}) < 3:
        raise BadInput(
            f"{', '.join(uris)}: photos, tables and artifacts need a bucket each, because rights are granted "
            f"by bucket; name three buckets."
        )
    docs = settings.paths.docs_folder
    is_outside = is_s3(docs) and not docs.startswith(f"{settings.paths.lake.rstrip('/')}/")
    docs_place = S3Place(*addresses.bucket_and_prefix(docs)) if is_outside else None
    return S3Places(landing, lake, artifacts, docs_place)


def check_region(settings: Settings, emr_settings: EmrSettings) -> None:
    """Raise Refused where the cluster's region is not one of the allowed regions."""
    if emr_settings.region not in settings.buckets.regions:
        raise Refused(
            f"emr.region = {emr_settings.region} is none of buckets.regions "
            f"({', '.join(settings.buckets.regions)}), so photos may not go there; name one of them."
        )


def check_bucket_region(name: str, region: str, emr_settings: EmrSettings) -> None:
    """Raise Refused where a bucket's region is not that of the cluster, which is an allowed one."""
    if region != emr_settings.region:
        raise Refused(
            f"The bucket {name} lies in {region} and the cluster in {emr_settings.region}, so data would "
            f"leave its region; name a bucket in {emr_settings.region}, or set emr.region."
        )


def find_key_arn(emr_settings: EmrSettings) -> str | None:
    """Return the ARN of the KMS key that the settings name, or None where there is no such key.

    Raises BadInput where the key lies in another region: disks and buckets of this region can't use it.
    """
    arn = emr_settings.kms_key
    if not arn.startswith("arn:aws:kms:") or ":key/" not in arn:
        client = aws.client("kms", emr_settings.region)
        with aws.asking(f"the key {emr_settings.kms_key}"):
            try:
                arn = client.describe_key(KeyId=emr_settings.kms_key)["KeyMetadata"]["Arn"]
            except client.exceptions.NotFoundException:
                return None
    region = arn.split(":")[3]
    if region != emr_settings.region:
        raise BadInput(
            f"emr.kms_key = {emr_settings.kms_key} lies in {region}, and the cluster in "
            f"{emr_settings.region}; name a key in {emr_settings.region}."
        )
    return arn


def account_number() -> str:
    """Ask AWS for the number of the account that the current credentials belong to."""
    with aws.asking("the account of these credentials"):
        return str(aws.client("sts").get_caller_identity()["Account"])


def tags(emr_settings: EmrSettings) -> dict[str, str]:
    """Return the tags that mark this project's resources: those of `emr.tags`, and `Name`.

    Raises BadInput where an entry of `emr.tags` is not written as key=value.
    """
    values = {}
    for text in emr_settings.tags:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise BadInput(f"emr.tags: {text} is no tag; write it as key=value.")
        values[key] = value
    return values | {"Name": emr_settings.name}


def service_role(emr_settings: EmrSettings) -> str:
    """The name of the role with which EMR creates and ends nodes."""
    return f"{emr_settings.name}-service"


def node_role(emr_settings: EmrSettings) -> str:
    """The name of the role of the nodes, with which the pipeline runs.

    The instance profile that gives the role to the nodes has the same name.
    """
    return f"{emr_settings.name}-nodes"


def operator_role(emr_settings: EmrSettings) -> str:
    """The name of the role for people who launch clusters and submit runs."""
    return f"{emr_settings.name}-operator"


def auditor_role(emr_settings: EmrSettings) -> str:
    """The name of the role for people who read journals and records."""
    return f"{emr_settings.name}-auditor"
