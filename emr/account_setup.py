"""Creates and corrects what the policies ask for in the account.

Each `ensure_` function compares one resource with what it has to be, changes only what differs, and returns
one sentence for each resource that it changed. Other statements of a bucket's policy and other rules of its
lifecycle stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.console import Console

from conf.errors import BadInput
from conf.settings import EmrSettings
from emr import account
from emr.account import S3Places
from emr.bucket_policies import OUR_PREFIX, BucketConfiguration
from emr.iam_roles import Role
from lake import aws
from lake.storage import s3_requests

POLICY_NAME = "fruit-lake"
"""The name of the one inline policy of each role."""

LINKED_SERVICES = ("elasticmapreduce.amazonaws.com", "spot.amazonaws.com", "ec2fleet.amazonaws.com")
"""Services that need a role of their own in the account. AWS creates such a role when the service is first
used, but only if the user may create roles. Because these roles are created here, operators need not have
that right."""


def bucket_regions(places: S3Places, emr_settings: EmrSettings) -> dict[str, str | None]:
    """Return the region of each bucket by its name, or None where the bucket doesn't exist.

    Raises Refused where a bucket lies in another region than the cluster.
    """
    regions: dict[str, str | None] = {}
    for name in places.buckets:
        try:
            regions[name] = s3_requests.bucket_region(name)
        except BadInput:
            regions[name] = None
            continue
        account.check_bucket_region(name, str(regions[name]), emr_settings)
    return regions


def ensure_key(emr_settings: EmrSettings, console: Console) -> str:
    """Return the ARN of the KMS key, which is created where it doesn't exist. KMS rotates it every year.

    Raises BadInput where the key doesn't exist and the settings name no alias that a new key could have.
    """
    if existing := account.find_key_arn(emr_settings):
        return existing
    if not emr_settings.kms_key.startswith("alias/"):
        raise BadInput(
            f"There is no key {emr_settings.kms_key}; name a key that exists, or alias/NAME for a new one."
        )
    client = aws.client("kms", emr_settings.region)
    tags = [
        {"TagKey": name, "TagValue": value} for name, value in account.tags(emr_settings).items()
    ]
    with aws.asking(f"a new key {emr_settings.kms_key}"):
        created = client.create_key(
            Description=f"{emr_settings.name}: buckets, logs and disks", Tags=tags
        )
        arn = str(created["KeyMetadata"]["Arn"])
        client.enable_key_rotation(KeyId=arn)
        client.create_alias(AliasName=emr_settings.kms_key, TargetKeyId=arn)
    console.print(f"key {emr_settings.kms_key}: made, {arn}", markup=False, soft_wrap=True)
    return arn


def ensure_bucket(
    target: BucketConfiguration, regions: Mapping[str, str | None], emr_settings: EmrSettings
) -> list[str]:
    """Create the bucket in the cluster's region where it doesn't exist, and correct its configuration.

    `regions` is the result of `bucket_regions`. Returns one line that names what changed, or no line.
    """
    s3, which = aws.client("s3", emr_settings.region), {"Bucket": target.name}
    changed = []
    with aws.asking(f"the bucket {target.name}"):
        if regions[target.name] is None:
            location = {"LocationConstraint": emr_settings.region}
            s3.create_bucket(**which, CreateBucketConfiguration=location)
            changed.append("made")
        changed += _ensure_protection(s3, which, target)
        changed += _ensure_policy(s3, which, target)
        changed += _ensure_lifecycle(s3, which, target)
    return [f"bucket {target.name}: {', '.join(changed)}"] if changed else []


def _ensure_protection(s3: Any, which: dict[str, str], target: BucketConfiguration) -> list[str]:
    """Correct the public access block and the default encryption, and return the names of what changed."""
    changed = []
    blocks = _answer(s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration", **which)
    if blocks.get("PublicAccessBlockConfiguration") != target.public_access:
        s3.put_public_access_block(**which, PublicAccessBlockConfiguration=target.public_access)
        changed.append("public access")
    encryption = _answer(
        s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError", **which
    )
    if not _includes(encryption.get("ServerSideEncryptionConfiguration"), target.encryption):
        s3.put_bucket_encryption(**which, ServerSideEncryptionConfiguration=target.encryption)
        changed.append("encryption")
    return changed


def _ensure_policy(s3: Any, which: dict[str, str], target: BucketConfiguration) -> list[str]:
    """Replace our statements in the bucket's policy, and return ["policy"] where they differed."""
    answer = _answer(s3.get_bucket_policy, "NoSuchBucketPolicy", **which)
    statements = json.loads(answer.get("Policy", "{}")).get("Statement", [])
    merged = _merged(statements, target.policy["Statement"], id_key="Sid")
    if _is_same(statements, merged):
        return []
    s3.put_bucket_policy(**which, Policy=json.dumps(target.policy | {"Statement": merged}))
    return ["policy"]


def _ensure_lifecycle(s3: Any, which: dict[str, str], target: BucketConfiguration) -> list[str]:
    """Replace our rules in the bucket's lifecycle, and return ["lifecycle"] where they differed."""
    answer = _answer(s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", **which)
    rules = answer.get("Rules", [])
    merged = _merged(rules, target.lifecycle["Rules"], id_key="ID")
    if _is_same(rules, merged):
        return []
    s3.put_bucket_lifecycle_configuration(**which, LifecycleConfiguration={"Rules": merged})
    return ["lifecycle"]


def ensure_role(target: Role, emr_settings: EmrSettings) -> list[str]:
    """Create the role where it doesn't exist, and correct its trust policy and its one inline policy.

    Returns one line that names what changed, or no line.
    """
    iam, which, changed = aws.client("iam"), {"RoleName": target.name}, []
    trust = json.dumps(target.trust)
    with aws.asking(f"the role {target.name}"):
        answer = _answer(iam.get_role, "NoSuchEntity", **which)
        if not answer:
            iam.create_role(**which, AssumeRolePolicyDocument=trust, Tags=_iam_tags(emr_settings))
            changed.append("made")
        elif not _is_same(answer["Role"]["AssumeRolePolicyDocument"], target.trust):
            iam.update_assume_role_policy(**which, PolicyDocument=trust)
            changed.append("trust")
        which_policy = which | {"PolicyName": POLICY_NAME}
        policy = _answer(iam.get_role_policy, "NoSuchEntity", **which_policy).get("PolicyDocument")
        if not _is_same(policy, target.permissions):
            iam.put_role_policy(**which_policy, PolicyDocument=json.dumps(target.permissions))
            changed.append("permissions")
    return [f"role {target.name}: {', '.join(changed)}"] if changed else []


def ensure_instance_profile(emr_settings: EmrSettings) -> list[str]:
    """Create the instance profile that gives the nodes their role, and put the role into it.

    Returns one line that names what changed, or no line.
    """
    iam, name, changed = aws.client("iam"), account.node_role(emr_settings), []
    with aws.asking(f"the instance profile {name}"):
        answer = _answer(iam.get_instance_profile, "NoSuchEntity", InstanceProfileName=name)
        if not answer:
            iam.create_instance_profile(InstanceProfileName=name, Tags=_iam_tags(emr_settings))
            changed.append("made")
        if not answer or not answer["InstanceProfile"]["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
            changed.append("role")
    return [f"instance profile {name}: {', '.join(changed)}"] if changed else []


def ensure_linked_roles() -> list[str]:
    """Create the missing roles of `LINKED_SERVICES`, and return one line for each that was created."""
    iam, changed = aws.client("iam"), []
    for service in LINKED_SERVICES:
        with aws.asking(f"the role of {service}"):
            if not iam.list_roles(PathPrefix=f"/aws-service-role/{service}/")["Roles"]:
                iam.create_service_linked_role(AWSServiceName=service)
                changed.append(f"role of {service}: made")
    return changed


def _merged(
    existing: Iterable[Mapping[str, Any]], ours: Iterable[Mapping[str, Any]], *, id_key: str
) -> list[Mapping[str, Any]]:
    """Return the existing entries that are not ours, unchanged, and after them our entries.

    The id of an entry, under `id_key`, tells whether the entry is ours.
    """
    others = (each for each in existing if not str(each.get(id_key, "")).startswith(OUR_PREFIX))
    return [*others, *ours]


def _is_same(existing: Any, target: Any) -> bool:
    """Whether two documents mean the same. AWS returns a list of one element as that element, and returns
    lists in any order."""
    return _normalized(existing) == _normalized(target)


def _normalized(value: Any) -> Any:
    """Return a document with its lists sorted, and a list of one element replaced by that element."""
    if isinstance(value, Mapping):
        return {name: _normalized(each) for name, each in value.items()}
    if isinstance(value, list):
        elements = sorted(
            map(_normalized, value), key=lambda each: json.dumps(each, sort_keys=True)
        )
        return elements[0] if len(elements) == 1 else elements
    return value


def _includes(existing: Any, target: Any) -> bool:
    """Whether a document has every field of the target. AWS adds fields of its own."""
    if isinstance(target, Mapping):
        return isinstance(existing, Mapping) and all(
            _includes(existing.get(name), value) for name, value in target.items()
        )
    if isinstance(target, list):
        return (
            isinstance(existing, list)
            and len(existing) == len(target)
            and all(map(_includes, existing, target))
        )
    return bool(existing == target)


def _answer(call: Callable[..., dict[str, Any]], missing: str, **which: str) -> dict[str, Any]:
    """Return the answer of a call to AWS, or {} where it fails with the error code `missing`."""
    from botocore.exceptions import ClientError

    try:
        return call(**which)
    except ClientError as error:
        if aws.code(error) != missing:
            raise
        return {}


def _iam_tags(emr_settings: EmrSettings) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in account.tags(emr_settings).items()]
