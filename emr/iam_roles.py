"""The four IAM roles: who may assume one, and what it may do. Nothing is granted that has no use here.

Every role is bounded to the allowed regions by a Deny, which no other policy can lift. IAM and STS are in no
region, and so outside that bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conf.settings import EmrSettings, Settings
from emr import account, service_role
from emr.account import LOGS, PACKAGES, Account, S3Places
from emr.iam_statements import Document, Statement, document, pass_role, statement
from lake.catalog import TABLES

SECRET = "aws-secret:"
"""How `subjects.key` begins where the secret is kept by Secrets Manager."""

AUDITED = ("ops", "privacy")
"""The rooms that an auditor reads in whole. Of other tables the Delta log alone: which version was written
when, by which run; their pixels and embeddings are in data files."""

LOG = "_delta_log"

READ = ("s3:GetObject", "s3:GetObjectVersion")
REMOVE = (
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)
EXAMINE = (
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketVersioning",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetEncryptionConfiguration",
)
"""On a bucket in whole: who may list but a prefix is told 403, not 404, of an object that isn't there."""

OWN_CLUSTER = (
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
    """A role of IAM: `trust` says who may assume it, `permissions` what it may do then."""

    name: str
    trust: Document
    permissions: Document


def roles(settings: Settings, own: EmrSettings, at: Account, places: S3Places) -> list[Role]:
    """The service's, the nodes', the operator's and the auditor's."""
    granted = {
        account.service_role(own): (_emr_trust(at), service_role.permissions(own, at)),
        account.node_role(own): (
            _trust({"Service": "ec2.amazonaws.com"}),
            _nodes(settings, own, at, places),
        ),
        account.operator_role(own): (_people_trust(at), _operator(own, at, places)),
        account.auditor_role(own): (_people_trust(at), _auditor(at, places)),
    }
    bound = _within(settings.buckets.regions)
    return [
        Role(name, document([trust]), document([*statements, bound]))
        for name, (trust, statements) in granted.items()
    ]


def _within(regions: Sequence[str]) -> Statement:
    return {
        "Sid": "NothingOutsideTheseRegions",
        "Effect": "Deny",
        "NotAction": ["iam:*", "sts:*"],
        "Resource": ["*"],
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": list(regions)}},
    }


def _trust(principal: Mapping[str, str], when: Mapping[str, Any] | None = None) -> Statement:
    made = {"Effect": "Allow", "Principal": dict(principal), "Action": ["sts:AssumeRole"]}
    return made | ({"Condition": dict(when)} if when else {})


def _emr_trust(at: Account) -> Statement:
    """EMR on behalf of this account alone, not of another one that names our role."""
    return _trust(
        {"Service": "elasticmapreduce.amazonaws.com"},
        {
            "StringEquals": {"aws:SourceAccount": at.number},
            "ArnLike": {"aws:SourceArn": at.arn("elasticmapreduce", "*")},
        },
    )


def _people_trust(at: Account) -> Statement:
    """Whom the account's own policies let assume it."""
    return _trust({"AWS": f"arn:aws:iam::{at.number}:root"})


def _nodes(settings: Settings, own: EmrSettings, at: Account, places: S3Places) -> list[Statement]:
    """The pipeline: landing objects are read, and removed by erasures; the lake is its own."""
    artifacts = places.artifacts
    written = [arn for place in places.data[1:] for arn in place.objects()]
    made = [
        statement("Buckets", EXAMINE, list(dict.fromkeys(p.arn for p in places.data))),
        statement("Landing", [*READ, *REMOVE], places.landing.objects()),
        statement("Lake", [*READ, "s3:PutObject", *REMOVE], written),
        statement("Artifacts", ["s3:GetBucketLocation", "s3:ListBucket"], [artifacts.arn]),
        statement("Packages", ["s3:GetObject"], artifacts.objects(PACKAGES)),
        statement("Logs", ["s3:PutObject", "s3:AbortMultipartUpload"], artifacts.objects(LOGS)),
        statement(
            "Key",
            ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
            [at.key],
        ),
    ]
    if settings.monitoring.cloudwatch:
        only = {"StringEquals": {"cloudwatch:namespace": settings.monitoring.cloudwatch}}
        made.append(statement("Metrics", ["cloudwatch:PutMetricData"], ["*"], when=only))
    if own.certificates:
        certificates = f"arn:aws:s3:::{own.certificates.partition('://')[2]}"
        made.append(statement("Certificates", ["s3:GetObject"], [certificates]))
    if settings.subjects.key.startswith(SECRET):
        secret = settings.subjects.key.removeprefix(SECRET)
        made.append(statement("SubjectsKey", ["secretsmanager:GetSecretValue"], [secret]))
    return made


def _operator(own: EmrSettings, at: Account, places: S3Places) -> list[Statement]:
    """Clusters of this project, told by their tags, with no way to tag another one; and no object of
    landing or lake."""
    tags = account.tags(own)
    asked = {"StringEquals": {f"aws:RequestTag/{key}": value for key, value in tags.items()}}
    ours = {"StringEquals": {f"aws:ResourceTag/{key}": value for key, value in tags.items()}}
    artifacts = places.artifacts
    packed = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    buckets = [f"arn:aws:s3:::{name}" for name in places.buckets]
    return [
        statement("LaunchTagged", ["elasticmapreduce:RunJobFlow"], ["*"], when=asked),
        statement("OwnClusters", OWN_CLUSTER, [at.arn("elasticmapreduce", "cluster/*")], when=ours),
        statement(
            "FindClusters",
            [
                "elasticmapreduce:CreateSecurityConfiguration",
                "elasticmapreduce:DescribeSecurityConfiguration",
                "elasticmapreduce:ListClusters",
            ],
            ["*"],
        ),
        statement(
            "Alarms",
            ["cloudwatch:DescribeAlarms"],
            [at.arn("cloudwatch", f"alarm:{own.name}-*")],
        ),
        pass_role(
            "GiveEmrItsRole", account.service_role(own), at, "elasticmapreduce.amazonaws.com"
        ),
        pass_role("GiveNodesTheirRole", account.node_role(own), at, "ec2.amazonaws.com"),
        statement("WhereBucketsLie", ["s3:GetBucketLocation"], buckets),
        statement("ListArtifacts", ["s3:ListBucket"], [artifacts.arn]),
        statement("Packages", packed, artifacts.objects(PACKAGES)),
        statement("Logs", ["s3:GetObject"], artifacts.objects(LOGS)),
        statement("Key", ["kms:DescribeKey"], [at.key]),
        _through_s3(at, "kms:Decrypt", "kms:GenerateDataKey"),
        statement(
            "NoPhotos",
            ["s3:*"],
            [f"{p.arn}/*" for p in (places.landing, places.lake)],
            effect="Deny",
        ),
    ]


def _auditor(at: Account, places: S3Places) -> list[Statement]:
    """Journals, records, and which version of a table was written when; nothing may be written."""
    lake = places.lake
    logs = [f"{table.name}/{LOG}" for table in TABLES if table.name.split("/")[0] not in AUDITED]
    allowed = [*lake.objects(*AUDITED), *lake.objects(*logs)]
    return [
        statement("ListTheLake", ["s3:GetBucketLocation", "s3:ListBucket"], [lake.arn]),
        statement("Journals", ["s3:GetObject"], allowed),
        _through_s3(at, "kms:Decrypt"),
        {
            "Sid": "NoOtherObjects",
            "Effect": "Deny",
            "Action": ["s3:GetObject*"],
            "NotResource": allowed,
        },
    ]


def _through_s3(at: Account, *actions: str) -> Statement:
    """The key, for objects that S3 hands over or takes: by itself it opens nothing."""
    when = {"StringEquals": {"kms:ViaService": f"s3.{at.region}.amazonaws.com"}}
    return statement("KeyThroughS3", actions, [at.key], when=when)
