"""What the names in requests and policies are made of: the account, its key, our buckets, roles and tags."""

from __future__ import annotations

from dataclasses import dataclass

from conf.errors import BadInput, Refused
from conf.settings import EmrSettings, Settings
from lake import aws
from lake.storage import addresses
from lake.storage.addresses import is_s3

MANAGED = "for-use-with-amazon-emr-managed-policies"
"""The tag that EMR hands on to everything that it makes in EC2; the service role may touch nothing else."""

PACKAGES = "packages"
LOGS = "logs"


@dataclass(frozen=True)
class S3Place:
    """A prefix of a bucket, for policies. ARNs of S3 name neither account nor region."""

    bucket: str
    prefix: str

    @property
    def arn(self) -> str:
        """The bucket."""
        return f"arn:aws:s3:::{self.bucket}"

    def objects(self, *under: str) -> list[str]:
        """What lies under the prefix, or under names below it."""
        return [f"{self.arn}/{self.prefix}/{name}/*" for name in under] or [
            f"{self.arn}/{self.prefix}",
            f"{self.arn}/{self.prefix}/*",
        ]


@dataclass(frozen=True)
class S3Places:
    """`docs`: where Data Docs go, if that is not within the lake."""

    landing: S3Place
    lake: S3Place
    artifacts: S3Place
    docs: S3Place | None

    @property
    def data(self) -> list[S3Place]:
        """What the layers write to or read, with photos in it."""
        return [self.landing, self.lake, *([self.docs] if self.docs else [])]

    @property
    def buckets(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(place.bucket for place in [*self.data, self.artifacts]))


@dataclass(frozen=True)
class Account:
    """`number`: 12 digits; `key`: the ARN of the KMS key."""

    number: str
    region: str
    key: str

    def arn(self, service: str, resource: str) -> str:
        """Of a thing in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.number}:{resource}"

    def role(self, name: str) -> str:
        """IAM is in no region."""
        return f"arn:aws:iam::{self.number}:role/{name}"


def places(settings: Settings, own: EmrSettings) -> S3Places:
    """Where photos arrive, where tables and Data Docs are, where packages and logs go.

    Raises BadInput: a local folder, or one bucket for two of landing, lake and artifacts. Who may list a
    bucket sees every name in it, and names in the landing folder tell of people.
    """
    for key, uri in (("landing", settings.paths.landing), ("lake", settings.paths.lake)):
        if not is_s3(uri):
            raise BadInput(f"paths.{key} = {uri} is on this machine; a cluster needs s3://….")
    paths = (settings.paths.landing, settings.paths.lake, own.artifacts)
    landing, lake, artifacts = (S3Place(*addresses.bucket_and_prefix(uri)) for uri in paths)
    if len({landing.bucket, lake.bucket, artifacts.bucket}) < 3:
        raise BadInput(
            f"{', '.join(paths)}: photos, tables and artifacts need a bucket each, as rights go by bucket; "
            f"name three."
        )
    docs = settings.paths.docs_folder
    apart = is_s3(docs) and not docs.startswith(f"{settings.paths.lake.rstrip('/')}/")
    return S3Places(
        landing, lake, artifacts, S3Place(*addresses.bucket_and_prefix(docs)) if apart else None
    )


def check_region(settings: Settings, own: EmrSettings) -> None:
    """Raises Refused where the cluster would lie outside the regions that are allowed."""
    if own.region not in settings.buckets.regions:
        raise Refused(
            f"emr.region = {own.region} is none of buckets.regions ({', '.join(settings.buckets.regions)}): "
            f"photos may not go there; name one of these."
        )


def check_bucket(name: str, region: str, own: EmrSettings) -> None:
    """Raises Refused where a bucket lies in another region than the cluster, so also outside the allowed."""
    if region != own.region:
        raise Refused(
            f"The bucket {name} lies in {region} and the cluster in {own.region}: data would leave its "
            f"region; name a bucket in {own.region}, or set emr.region."
        )


def key_of(own: EmrSettings) -> str | None:
    """The ARN of the KMS key that the settings name; None where there is none of that alias.

    Raises BadInput: it lies in another region, where neither disks nor buckets of this one can use it.
    """
    found = own.kms_key
    if not found.startswith("arn:aws:kms:") or ":key/" not in found:
        client = aws.client("kms", own.region)
        with aws.asking(f"the key {own.kms_key}"):
            try:
                found = client.describe_key(KeyId=own.kms_key)["KeyMetadata"]["Arn"]
            except client.exceptions.NotFoundException:
                return None
    if found.split(":")[3] != own.region:
        raise BadInput(
            f"emr.kms_key = {own.kms_key} lies in {found.split(':')[3]}; name one in {own.region}."
        )
    return found


def number() -> str:
    """The account of these credentials."""
    with aws.asking("the account of these credentials"):
        return str(aws.client("sts").get_caller_identity()["Account"])


def tags(own: EmrSettings) -> dict[str, str]:
    """What tells this project's things from others': `emr.tags`, and the name. Raises BadInput."""
    found = {}
    for text in own.tags:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise BadInput(f"emr.tags: {text} is no tag; write it as key=value.")
        found[key] = value
    return found | {"Name": own.name}


def service_role(own: EmrSettings) -> str:
    """The role by which EMR makes nodes."""
    return f"{own.name}-service"


def node_role(own: EmrSettings) -> str:
    """The role of the nodes, and so of the pipeline; their instance profile has the same name."""
    return f"{own.name}-nodes"


def operator_role(own: EmrSettings) -> str:
    """The role of people who launch and submit."""
    return f"{own.name}-operator"


def auditor_role(own: EmrSettings) -> str:
    """The role of people who look at journals and records."""
    return f"{own.name}-auditor"
