"""Makes an account as the policies say. Each function returns what it changed, in words; nothing, if nothing.

What is there and not ours stays: other statements of a bucket's policy, other rules of its lifecycle.
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
from emr.bucket_policies import OURS, BucketConfiguration
from emr.iam_roles import Role
from lake import aws
from lake.storage import s3_requests

POLICY = "fruit-lake"
"""The name of the one policy within each role."""

LINKED = ("elasticmapreduce.amazonaws.com", "spot.amazonaws.com", "ec2fleet.amazonaws.com")
"""Services that have a role of their own in the account. They make it when they are first used, by whoever
does, if that one may make roles: nobody but who applies this has to."""


def regions(places: S3Places, own: EmrSettings) -> dict[str, str | None]:
    """Where each bucket lies; None: it is not there. Raises Refused where one lies elsewhere than the
    cluster."""
    found: dict[str, str | None] = {}
    for name in places.buckets:
        try:
            found[name] = s3_requests.bucket_region(name)
        except BadInput:
            found[name] = None
            continue
        account.check_bucket(name, str(found[name]), own)
    return found


def key(own: EmrSettings, console: Console) -> str:
    """The ARN of the key; where there is none, it is made, and turned over yearly.

    Raises BadInput where the settings name no alias that it could have.
    """
    if held := account.key_of(own):
        return held
    if not own.kms_key.startswith("alias/"):
        raise BadInput(
            f"There is no key {own.kms_key}; name one that is there, or alias/NAME for a new one."
        )
    client = aws.client("kms", own.region)
    tags = [{"TagKey": name, "TagValue": value} for name, value in account.tags(own).items()]
    with aws.asking(f"a new key {own.kms_key}"):
        made = client.create_key(Description=f"{own.name}: buckets, logs and disks", Tags=tags)
        arn = str(made["KeyMetadata"]["Arn"])
        client.enable_key_rotation(KeyId=arn)
        client.create_alias(AliasName=own.kms_key, TargetKeyId=arn)
    console.print(f"key {own.kms_key}: made, {arn}", markup=False, soft_wrap=True)
    return arn


def bucket(
    wanted: BucketConfiguration, found: Mapping[str, str | None], own: EmrSettings
) -> list[str]:
    """The bucket, made in the cluster's region where it isn't there, with all that it has to have."""
    s3, which = aws.client("s3", own.region), {"Bucket": wanted.name}
    changed = []
    with aws.asking(f"the bucket {wanted.name}"):
        if found[wanted.name] is None:
            s3.create_bucket(**which, CreateBucketConfiguration={"LocationConstraint": own.region})
            changed.append("made")
        blocks = _held(s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration", **which)
        if blocks.get("PublicAccessBlockConfiguration") != wanted.public_access:
            s3.put_public_access_block(**which, PublicAccessBlockConfiguration=wanted.public_access)
            changed.append("public access")
        encryption = _held(
            s3.get_bucket_encryption, "ServerSideEncryptionConfigurationNotFoundError", **which
        )
        if not _holds(encryption.get("ServerSideEncryptionConfiguration"), wanted.encryption):
            s3.put_bucket_encryption(**which, ServerSideEncryptionConfiguration=wanted.encryption)
            changed.append("encryption")
        policy = json.loads(
            _held(s3.get_bucket_policy, "NoSuchBucketPolicy", **which).get("Policy", "{}")
        )
        whole = merged(policy.get("Statement", []), wanted.policy["Statement"], by="Sid")
        if not same(policy.get("Statement", []), whole):
            s3.put_bucket_policy(**which, Policy=json.dumps(wanted.policy | {"Statement": whole}))
            changed.append("policy")
        rules = _held(
            s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", **which
        ).get("Rules", [])
        whole = merged(rules, wanted.lifecycle["Rules"], by="ID")
        if not same(rules, whole):
            s3.put_bucket_lifecycle_configuration(**which, LifecycleConfiguration={"Rules": whole})
            changed.append("lifecycle")
    return [f"bucket {wanted.name}: {', '.join(changed)}"] if changed else []


def role(wanted: Role, own: EmrSettings) -> list[str]:
    """The role, whom it trusts, and its one policy."""
    iam, which, changed = aws.client("iam"), {"RoleName": wanted.name}, []
    trust = json.dumps(wanted.trust)
    with aws.asking(f"the role {wanted.name}"):
        held = _held(iam.get_role, "NoSuchEntity", **which)
        if not held:
            iam.create_role(**which, AssumeRolePolicyDocument=trust, Tags=_iam_tags(own))
            changed.append("made")
        elif not same(held["Role"]["AssumeRolePolicyDocument"], wanted.trust):
            iam.update_assume_role_policy(**which, PolicyDocument=trust)
            changed.append("trust")
        named = which | {"PolicyName": POLICY}
        policy = _held(iam.get_role_policy, "NoSuchEntity", **named).get("PolicyDocument")
        if not same(policy, wanted.permissions):
            iam.put_role_policy(**named, PolicyDocument=json.dumps(wanted.permissions))
            changed.append("permissions")
    return [f"role {wanted.name}: {', '.join(changed)}"] if changed else []


def instance_profile(own: EmrSettings) -> list[str]:
    """What hands the nodes' role to the nodes."""
    iam, name, changed = aws.client("iam"), account.node_role(own), []
    with aws.asking(f"the instance profile {name}"):
        held = _held(iam.get_instance_profile, "NoSuchEntity", InstanceProfileName=name)
        if not held:
            iam.create_instance_profile(InstanceProfileName=name, Tags=_iam_tags(own))
            changed.append("made")
        if not held or not held["InstanceProfile"]["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
            changed.append("role")
    return [f"instance profile {name}: {', '.join(changed)}"] if changed else []


def linked_roles() -> list[str]:
    """The services' own roles."""
    iam, changed = aws.client("iam"), []
    for service in LINKED:
        with aws.asking(f"the role of {service}"):
            if not iam.list_roles(PathPrefix=f"/aws-service-role/{service}/")["Roles"]:
                iam.create_service_linked_role(AWSServiceName=service)
                changed.append(f"role of {service}: made")
    return changed


def merged(
    held: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]], *, by: str
) -> list[Mapping[str, Any]]:
    """Others' entries as they are, then ours; `by`: the key that names an entry."""
    return [*(each for each in held if not str(each.get(by, "")).startswith(OURS)), *wanted]


def same(held: Any, wanted: Any) -> bool:
    """Whether two documents say the same: AWS gives a list of one as its element, and in any order."""
    return _plain(held) == _plain(wanted)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        plain = sorted(
            (_plain(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True)
        )
        return plain[0] if len(plain) == 1 else plain
    return value


def _holds(held: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; AWS adds fields of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(held, Mapping) and all(
            _holds(held.get(name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(held, list) and len(held) == len(wanted) and all(map(_holds, held, wanted))
        )
    return bool(held == wanted)


def _held(call: Callable[..., dict[str, Any]], absent: str, **which: str) -> dict[str, Any]:
    """What AWS answers; nothing where there is none."""
    from botocore.exceptions import ClientError

    try:
        return call(**which)
    except ClientError as error:
        if aws.code(error) != absent:
            raise
        return {}


def _iam_tags(own: EmrSettings) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in account.tags(own).items()]
