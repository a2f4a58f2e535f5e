"""The four IAM roles: who may assume each of them, and what it may do. Nothing is granted that is not needed.

A Deny in every role limits it to the allowed regions, and no other policy can lift that. IAM and STS have no
region, and are therefore outside the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf.settings import EmrSettings, Settings
from emr import account, service_role
from emr.account import LOGS, PACKAGES, Account, S3Place, S3Places
from emr.iam_statements import Document, Statement, document, pass_role, statement
from lake import delta_log
from lake.catalog import TABLES
from lake.storage.addresses import bucket_and_prefix

SECRET_PREFIX = "aws-secret:"
"""The prefix of `subjects.key` and `subjects.tombstone_keys` where Secrets Manager keeps the secret."""

AUDITED = ("ops", "privacy")
"""The folders of the lake that an auditor reads completely. Of other tables an auditor only reads the Delta
log, which says which run wrote which version when; pixels and embeddings are in data files."""

READ = ("s3:GetObject", "s3:GetObjectVersion")
REMOVE = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
INSPECT_BUCKET = (
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketVersioning",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetEncryptionConfiguration",
)
"""Actions on a whole bucket. They are not limited to a prefix: with a limited right to list, S3 answers 403
and not 404 for an object that doesn't exist."""

READ_QUEUE = (
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
)
"""Actions on the queue of the landing folder's events."""

USE_CLUSTER = (
    "elasticmapreduce:AddJobFlowSteps",
    "elasticmapreduce:CancelSteps",
    "elasticmapreduce:DescribeCluster",
    "elasticmapreduce:DescribeStep",
    "elasticmapreduce:ListInstanceFleets",
    "elasticmapreduce:ListInstances",
    "elasticmapreduce:ListSteps",
    "elasticmapreduce:PutAutoTerminationPolicy",
    "elasticmapreduce:PutManagedScalingPolicy",
    "elasticmapreduce:TerminateJobFlows",
)


@dataclass(frozen=True)
class Role:
    """A role of IAM. `trust` says who may assume it, and `permissions` says what it may do."""

    name: str
    trust: Document
    permissions: Document


def roles(
    settings: Settings, emr_settings: EmrSettings, aws_account: Account, places: S3Places
) -> list[Role]:
    """Return the roles of the service, the nodes, the operator and the auditor."""
    granted = {
        account.service_role(emr_settings): (
            _emr_trust(aws_account),
            service_role.permissions(emr_settings, aws_account),
        ),
        account.node_role(emr_settings): (
            _trust({"Service": "ec2.amazonaws.com"}),
            _node_permissions(settings, emr_settings, aws_account, places),
        ),
        account.operator_role(emr_settings): (
            _people_trust(aws_account),
            _operator_permissions(emr_settings, aws_account, places),
        ),
        account.auditor_role(emr_settings): (
            _people_trust(aws_account),
            _auditor_permissions(aws_account, places),
        ),
    }
    region_limit = _deny_outside(settings.buckets.regions)
    return [
        Role(name, document([trust]), document([*permissions, region_limit]))
        for name, (trust, permissions) in granted.items()
    ]


def _deny_outside(regions: Sequence[str]) -> Statement:
    return {
        "Sid": "NothingOutsideTheseRegions",
        "Effect": "Deny",
        "NotAction": ["iam:*", "sts:*"],
        "Resource": ["*"],
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": list(regions)}},
    }


def _trust(principal: Mapping[str, str], condition: Mapping[str, Any] | None = None) -> Statement:
    trust = {"Effect": "Allow", "Principal": dict(principal), "Action": ["sts:AssumeRole"]}
    return trust | ({"Condition": dict(condition)} if condition else {})


def _emr_trust(aws_account: Account) -> Statement:
    """Return the trust in EMR on behalf of this account only.

    EMR may not assume the role for another account that names it.
    """
    return _trust(
        {"Service": "elasticmapreduce.amazonaws.com"},
        {
            "StringEquals": {"aws:SourceAccount": aws_account.number},
            "ArnLike": {"aws:SourceArn": aws_account.arn("elasticmapreduce", "*")},
        },
    )


def _people_trust(aws_account: Account) -> Statement:
    """Return the trust in those identities of this account whose own policies let them assume the role."""
    return _trust({"AWS": f"arn:aws:iam::{aws_account.number}:root"})


def _node_permissions(
    settings: Settings, emr_settings: EmrSettings, aws_account: Account, places: S3Places
) -> list[Statement]:
    """Return what the pipeline may do: read landing objects, remove them in erasures, and use the lake."""
    artifacts = places.artifacts
    buckets = list(dict.fromkeys(place.bucket_arn for place in places.data))
    written = [arn for place in places.data[1:] for arn in place.object_arns()]
    key_actions = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    log_actions = ["s3:PutObject", "s3:AbortMultipartUpload"]
    statements = [
        statement("Buckets", INSPECT_BUCKET, buckets),
        statement("Landing", [*READ, *REMOVE], places.landing.object_arns()),
        statement("Lake", [*READ, "s3:PutObject", *REMOVE], written),
        statement("Artifacts", ["s3:GetBucketLocation", "s3:ListBucket"], [artifacts.bucket_arn]),
        statement("Packages", ["s3:GetObject"], artifacts.object_arns(PACKAGES)),
        statement("Logs", log_actions, artifacts.object_arns(LOGS)),
        statement("Key", key_actions, [aws_account.key_arn]),
    ]
    if settings.monitoring.cloudwatch:
        in_namespace = {"StringEquals": {"cloudwatch:namespace": settings.monitoring.cloudwatch}}
        statements.append(
            statement("Metrics", ["cloudwatch:PutMetricData"], ["*"], condition=in_namespace)
        )
    if settings.landing.inventory:
        inventory = S3Place(*bucket_and_prefix(settings.landing.inventory, may_be_bucket=True))
        statements.append(statement("InventoryBucket", INSPECT_BUCKET, [inventory.bucket_arn]))
        statements.append(statement("Inventory", ["s3:GetObject"], inventory.object_arns()))
    if settings.landing.queue:
        statements.append(statement("Events", READ_QUEUE, [settings.landing.queue]))
    if emr_settings.certificates:
        certificates = f"arn:aws:s3:::{emr_settings.certificates.partition('://')[2]}"
        statements.append(statement("Certificates", ["s3:GetObject"], [certificates]))
    keys = (settings.subjects.key, *settings.subjects.tombstone_keys)
    secrets = [each.removeprefix(SECRET_PREFIX) for each in keys if each.startswith(SECRET_PREFIX)]
    if secrets:
        statements.append(statement("SubjectsKey", ["secretsmanager:GetSecretValue"], secrets))
    return statements


def _operator_permissions(
    emr_settings: EmrSettings, aws_account: Account, places: S3Places
) -> list[Statement]:
    """Return what an operator may do: launch and use clusters, and write packages and read logs.

    The clusters are those with this project's tags, and an operator can't tag other ones. Objects of landing
    and lake are denied.
    """
    return [
        *_cluster_statements(emr_settings, aws_account),
        *_artifact_statements(aws_account, places),
        statement(
            "NoPhotos",
            ["s3:*"],
            [f"{place.bucket_arn}/*" for place in (places.landing, places.lake)],
            effect="Deny",
        ),
    ]


def _cluster_statements(emr_settings: EmrSettings, aws_account: Account) -> list[Statement]:
    """Return an operator's rights on clusters of this project, on its alarms, and to pass its roles on."""
    tags = account.tags(emr_settings)
    requested = {"StringEquals": {f"aws:RequestTag/{key}": value for key, value in tags.items()}}
    tagged = {"StringEquals": {f"aws:ResourceTag/{key}": value for key, value in tags.items()}}
    cluster_arn = aws_account.arn("elasticmapreduce", "cluster/*")
    alarm_arn = aws_account.arn("cloudwatch", f"alarm:{emr_settings.name}-*")
    service, node = account.service_role(emr_settings), account.node_role(emr_settings)
    return [
        statement("LaunchTagged", ["elasticmapreduce:RunJobFlow"], ["*"], condition=requested),
        statement("OwnClusters", USE_CLUSTER, [cluster_arn], condition=tagged),
        statement(
            "FindClusters",
            [
                "elasticmapreduce:CreateSecurityConfiguration",
                "elasticmapreduce:DescribeSecurityConfiguration",
                "elasticmapreduce:ListClusters",
            ],
            ["*"],
        ),
        statement("Alarms", ["cloudwatch:DescribeAlarms"], [alarm_arn]),
        pass_role("GiveEmrItsRole", service, aws_account, "elasticmapreduce.amazonaws.com"),
        pass_role("GiveNodesTheirRole", node, aws_account, "ec2.amazonaws.com"),
    ]


def _artifact_statements(aws_account: Account, places: S3Places) -> list[Statement]:
    """Return an operator's rights on packages, logs and the key, and to ask where the buckets lie."""
    artifacts = places.artifacts
    package_actions = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    buckets = [f"arn:aws:s3:::{name}" for name in places.buckets]
    return [
        statement("WhereBucketsLie", ["s3:GetBucketLocation"], buckets),
        statement("ListArtifacts", ["s3:ListBucket"], [artifacts.bucket_arn]),
        statement("Packages", package_actions, artifacts.object_arns(PACKAGES)),
        statement("Logs", ["s3:GetObject"], artifacts.object_arns(LOGS)),
        statement("Key", ["kms:DescribeKey"], [aws_account.key_arn]),
        _key_through_s3(aws_account, "kms:Decrypt", "kms:GenerateDataKey"),
    ]


def _auditor_permissions(aws_account: Account, places: S3Places) -> list[Statement]:
    """Return what an auditor may do: read journals, records and the Delta logs of all tables.

    An auditor may write nothing.
    """
    lake = places.lake
    others = [table.name for table in TABLES if table.name.split("/")[0] not in AUDITED]
    logs = lake.object_arns(*(f"{name}/{delta_log.FOLDER}" for name in others))
    allowed = [*lake.object_arns(*AUDITED), *logs]
    return [
        statement("ListTheLake", ["s3:GetBucketLocation", "s3:ListBucket"], [lake.bucket_arn]),
        statement("Journals", ["s3:GetObject"], allowed),
        _key_through_s3(aws_account, "kms:Decrypt"),
        {
            "Sid": "NoOtherObjects",
            "Effect": "Deny",
            "Action": ["s3:GetObject*"],
            "NotResource": allowed,
        },
    ]


def _key_through_s3(aws_account: Account, *actions: str) -> Statement:
    """Return the right to use the key for objects that S3 returns or takes, and for nothing else."""
    through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{aws_account.region}.amazonaws.com"}}
    return statement("KeyThroughS3", actions, [aws_account.key_arn], condition=through_s3)
