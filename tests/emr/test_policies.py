"""Who may do what, as an evaluator of the policies judges; and the account that is created by them."""

from __future__ import annotations

import fnmatch
import io
import json

import boto3
import botocore.client
import pytest
from moto import mock_aws
from parliament import analyze_policy_string
from rich.console import Console

from cli.command import Words
from cli.commands import emr as emr_command
from conf.errors import BadInput, Refused
from conf.settings import Settings
from emr import account, account_setup
from emr.account import Account
from emr.bucket_policies import bucket_configurations, days
from emr.iam_roles import roles
from lake import aws

KEY = "arn:aws:kms:eu-west-3:123456789012:key/11111111-2222-3333-4444-555555555555"
SECRET = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:fruit-AbCdEf"
EARLIER_SECRET = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:earlier-GhIjKl"
CERTIFICATES = "s3://fruit-lake-artifacts/emr/certificates.zip"
SETTINGS = (
    'emr.subnets=["subnet-1"]',
    f"emr.certificates={CERTIFICATES}",
    f"subjects.key=aws-secret:{SECRET}",
    f'subjects.tombstone_keys=["aws-secret:{EARLIER_SECRET}"]',
)
LANDING = "arn:aws:s3:::fruit-lake-landing"
LAKE = "arn:aws:s3:::fruit-lake-tables"
ARTIFACTS = "arn:aws:s3:::fruit-lake-artifacts"
PHOTO = f"{LANDING}/photos/subject=anna/a.jpg"
PIXELS = f"{LAKE}/lake/bronze/photos/part-0.parquet"
CLUSTER = "arn:aws:elasticmapreduce:eu-west-3:123456789012:cluster/j-1"
ROLE = "arn:aws:iam::123456789012:role"
ALARM = "arn:aws:cloudwatch:eu-west-3:123456789012:alarm:fruit-lake"
EC2 = "arn:aws:ec2:eu-west-3:123456789012"
OURS = {"aws:ResourceTag/project": "fruit-lake", "aws:ResourceTag/Name": "fruit-lake"}
ASKED = {"aws:RequestTag/project": "fruit-lake", "aws:RequestTag/Name": "fruit-lake"}
THROUGH_S3 = {"kms:ViaService": "s3.eu-west-3.amazonaws.com"}
MANAGED = "for-use-with-amazon-emr-managed-policies"


def load(*overrides: str) -> Settings:
    return Settings.load("emr", environment={}, overrides=[*SETTINGS, *overrides])


def made(*overrides: str) -> tuple[dict, dict]:
    """The roles and the configurations of buckets by name."""
    settings = load(*overrides)
    own, at = settings.emr, Account("123456789012", settings.emr.region, KEY)
    places = account.places(settings, own)
    return (
        {role.name.removeprefix("fruit-lake-"): role for role in roles(settings, own, at, places)},
        {bucket.name: bucket for bucket in bucket_configurations(settings, at, places)},
    )


ROLES, BUCKETS = made()
QUEUE = "arn:aws:sqs:eu-west-3:123456789012:fruit-lake-landing"


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def like(pattern: str, value: str, *, cased: bool = True) -> bool:
    """Whether a value matches a pattern of IAM, whose only wildcards are * and ?."""
    pattern = pattern.replace("[", "[[]")
    fold = str if cased else str.lower
    return fnmatch.fnmatchcase(fold(value), fold(pattern))


OPERATORS = {
    "StringEquals": lambda held, wanted: held is not None and held in wanted,
    "StringNotEquals": lambda held, wanted: held not in wanted,
    "ArnNotEquals": lambda held, wanted: held not in wanted,
    "ArnLike": lambda held, wanted: held is not None and any(like(w, held) for w in wanted),
    "Bool": lambda held, wanted: held is not None and held in wanted,
    "BoolIfExists": lambda held, wanted: held is None or held in wanted,
    "Null": lambda held, wanted: ("true" if held is None else "false") in wanted,
}
"""The operators that conditions use. A test fails where a policy uses another one."""


def applies(statement: dict, action: str, resource: str, context: dict) -> bool:
    def named(key: str, value: str, *, cased: bool) -> bool:
        if f"Not{key}" in statement:
            return not any(like(p, value, cased=cased) for p in as_list(statement[f"Not{key}"]))
        return any(like(p, value, cased=cased) for p in as_list(statement[key]))

    return (
        named("Action", action, cased=False)
        and named("Resource", resource, cased=True)
        and all(
            OPERATORS[operator](context.get(key), as_list(wanted))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def verdict(document: dict, action: str, resource: str, context: dict) -> str:
    """The answer of IAM to a request, `Allow`, `Deny` or `none`. An explicit denial wins."""
    usual = {"aws:RequestedRegion": "eu-west-3"} | context
    effects = {
        statement["Effect"]
        for statement in document["Statement"]
        if applies(statement, action, resource, usual)
    }
    return "Deny" if "Deny" in effects else "Allow" if effects else "none"


MAY = [
    ("nodes", "s3:GetObject", PHOTO, {}),
    ("nodes", "s3:GetObjectVersion", PHOTO, {}),
    ("nodes", "s3:DeleteObject", PHOTO, {}),
    ("nodes", "s3:DeleteObjectVersion", PHOTO, {}),
    ("nodes", "s3:ListBucketVersions", LANDING, {}),
    ("nodes", "s3:PutObject", PIXELS, {}),
    ("nodes", "s3:DeleteObjectVersion", PIXELS, {}),
    ("nodes", "s3:AbortMultipartUpload", PIXELS, {}),
    ("nodes", "s3:ListBucketMultipartUploads", LAKE, {}),
    ("nodes", "s3:GetBucketPublicAccessBlock", LAKE, {}),
    ("nodes", "s3:GetBucketObjectLockConfiguration", LAKE, {}),
    ("nodes", "s3:GetObject", f"{ARTIFACTS}/emr/packages/ab/package.tar.gz", {}),
    ("nodes", "s3:GetObject", f"{ARTIFACTS}/emr/certificates.zip", {}),
    ("nodes", "s3:PutObject", f"{ARTIFACTS}/emr/logs/j-1/node/x.gz", {}),
    ("nodes", "kms:GenerateDataKey", KEY, {}),
    ("nodes", "secretsmanager:GetSecretValue", SECRET, {}),
    ("nodes", "secretsmanager:GetSecretValue", EARLIER_SECRET, {}),
    ("nodes", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "FruitLake"}),
    ("operator", "cloudwatch:DescribeAlarms", f"{ALARM}-lag", {}),
    ("operator", "elasticmapreduce:RunJobFlow", "*", ASKED),
    ("operator", "elasticmapreduce:AddJobFlowSteps", CLUSTER, OURS),
    ("operator", "elasticmapreduce:TerminateJobFlows", CLUSTER, OURS),
    ("operator", "elasticmapreduce:ListInstanceFleets", CLUSTER, OURS),
    (
        "operator",
        "iam:PassRole",
        f"{ROLE}/fruit-lake-service",
        {"iam:PassedToService": "elasticmapreduce.amazonaws.com"},
    ),
    (
        "operator",
        "iam:PassRole",
        f"{ROLE}/fruit-lake-nodes",
        {"iam:PassedToService": "ec2.amazonaws.com"},
    ),
    ("operator", "s3:PutObject", f"{ARTIFACTS}/emr/packages/ab/package.tar.gz", {}),
    ("operator", "s3:GetObject", f"{ARTIFACTS}/emr/logs/j-1/steps/s-1/stderr.gz", {}),
    ("operator", "s3:GetBucketLocation", LANDING, {}),
    ("operator", "kms:Decrypt", KEY, THROUGH_S3),
    ("auditor", "s3:GetObject", f"{LAKE}/lake/ops/runs/part-0.parquet", {}),
    ("auditor", "s3:GetObject", f"{LAKE}/lake/privacy/audits/x.json", {}),
    ("auditor", "s3:GetObject", f"{LAKE}/lake/privacy/erasures/_delta_log/0.json", {}),
    ("auditor", "s3:GetObject", f"{LAKE}/lake/bronze/photos/_delta_log/0.json", {}),
    ("auditor", "kms:Decrypt", KEY, THROUGH_S3),
    ("service", "ec2:RunInstances", f"{EC2}:subnet/subnet-1", {}),
    ("service", "ec2:RunInstances", f"{EC2}:instance/*", {f"aws:RequestTag/{MANAGED}": "true"}),
    (
        "service",
        "ec2:TerminateInstances",
        f"{EC2}:instance/i",
        {f"aws:ResourceTag/{MANAGED}": "true"},
    ),
    (
        "service",
        "iam:PassRole",
        f"{ROLE}/fruit-lake-nodes",
        {"iam:PassedToService": "ec2.amazonaws.com"},
    ),
    ("service", "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"}),
]

MAY_NOT = [
    ("nodes", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "AWS/EC2"}),
    ("nodes", "cloudwatch:DeleteAlarms", "*", {}),
    ("operator", "cloudwatch:PutMetricAlarm", "*", {}),
    ("nodes", "s3:PutObject", PHOTO, {}),
    ("nodes", "s3:GetObject", "arn:aws:s3:::another/photos/a.jpg", {}),
    ("nodes", "s3:ListBucket", "arn:aws:s3:::another", {}),
    ("nodes", "s3:PutObject", f"{LAKE}/elsewhere/a", {}),
    ("nodes", "s3:PutObject", f"{ARTIFACTS}/emr/packages/ab/package.tar.gz", {}),
    ("nodes", "s3:DeleteObject", f"{ARTIFACTS}/emr/packages/ab/package.tar.gz", {}),
    ("nodes", "s3:PutBucketPolicy", LAKE, {}),
    ("nodes", "s3:DeleteBucket", LAKE, {}),
    ("nodes", "iam:PassRole", f"{ROLE}/fruit-lake-nodes", {}),
    ("nodes", "iam:CreateRole", f"{ROLE}/x", {}),
    ("nodes", "sts:AssumeRole", f"{ROLE}/x", {}),
    ("nodes", "kms:Decrypt", f"{KEY[:-1]}6", {}),
    ("nodes", "secretsmanager:GetSecretValue", f"{SECRET}x", {}),
    ("nodes", "elasticmapreduce:RunJobFlow", "*", ASKED),
    ("operator", "s3:GetObject", PHOTO, {}),
    ("operator", "s3:GetObject", PIXELS, {}),
    ("operator", "s3:DeleteObject", PIXELS, {}),
    ("operator", "s3:GetObject", f"{ARTIFACTS}/emr/certificates.zip", {}),
    ("operator", "s3:PutObject", f"{ARTIFACTS}/emr/logs/x", {}),
    ("operator", "kms:Decrypt", KEY, {}),
    ("operator", "elasticmapreduce:RunJobFlow", "*", {}),
    ("operator", "elasticmapreduce:RunJobFlow", "*", ASKED | {"aws:RequestTag/project": "x"}),
    ("operator", "elasticmapreduce:AddJobFlowSteps", CLUSTER, {}),
    ("operator", "elasticmapreduce:TerminateJobFlows", CLUSTER, {"aws:ResourceTag/project": "x"}),
    ("operator", "elasticmapreduce:AddTags", CLUSTER, OURS),
    ("operator", "iam:PassRole", f"{ROLE}/admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
    (
        "operator",
        "iam:PassRole",
        f"{ROLE}/fruit-lake-nodes",
        {"iam:PassedToService": "lambda.amazonaws.com"},
    ),
    ("operator", "iam:PutRolePolicy", f"{ROLE}/fruit-lake-nodes", {}),
    ("operator", "secretsmanager:GetSecretValue", SECRET, {}),
    ("auditor", "s3:GetObject", PIXELS, {}),
    ("auditor", "s3:GetObject", f"{LAKE}/lake/silver/embeddings/part-0.parquet", {}),
    ("auditor", "s3:GetObject", f"{LAKE}/lake/staging/1/part-0.parquet", {}),
    ("auditor", "s3:GetObject", PHOTO, {}),
    ("auditor", "s3:GetObjectVersion", PHOTO, {}),
    ("auditor", "s3:ListBucket", LANDING, {}),
    ("auditor", "s3:PutObject", f"{LAKE}/lake/privacy/audits/x.json", {}),
    ("auditor", "s3:DeleteObject", f"{LAKE}/lake/ops/runs/part-0.parquet", {}),
    ("auditor", "kms:Decrypt", KEY, {}),
    ("service", "s3:GetObject", PHOTO, {}),
    ("service", "ec2:RunInstances", f"{EC2}:subnet/subnet-2", {}),
    ("service", "ec2:RunInstances", f"{EC2}:instance/*", {}),
    ("service", "ec2:TerminateInstances", f"{EC2}:instance/i", {}),
    ("service", "ec2:CreateTags", f"{EC2}:instance/i", {}),
    ("service", "iam:PassRole", f"{ROLE}/admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
    ("service", "kms:CreateGrant", KEY, {}),
]


@pytest.mark.parametrize(("role", "action", "resource", "context"), MAY)
def test_a_role_may(role, action, resource, context):
    assert verdict(ROLES[role].permissions, action, resource, context) == "Allow"


@pytest.mark.parametrize(("role", "action", "resource", "context"), MAY_NOT)
def test_a_role_may_not(role, action, resource, context):
    assert verdict(ROLES[role].permissions, action, resource, context) != "Allow"


@pytest.mark.parametrize(("role", "action", "resource", "context"), MAY)
def test_nothing_may_be_done_outside_the_regions(role, action, resource, context):
    outside = context | {"aws:RequestedRegion": "us-east-1"}
    found = verdict(ROLES[role].permissions, action, resource, outside)
    assert found == ("Allow" if action.startswith("iam:") else "Deny")


@pytest.mark.parametrize(
    ("role", "action", "resource"),
    [
        ("operator", "s3:GetObject", PHOTO),
        ("operator", "s3:GetObject", PIXELS),
        ("auditor", "s3:GetObject", PIXELS),
        ("auditor", "s3:GetObjectVersion", PHOTO),
    ],
)
def test_no_other_policy_can_grant_people_the_photos(role, action, resource):
    assert verdict(ROLES[role].permissions, action, resource, {}) == "Deny"


def test_no_grant_is_of_a_whole_service_or_of_everything():
    for role in ROLES.values():
        for grant in role.permissions["Statement"]:
            if grant["Effect"] == "Deny":
                continue
            assert not [action for action in grant["Action"] if "*" in action], grant["Sid"]
            if "*" in grant["Resource"]:
                harmless = ("Describe", "List", "CreateSecurityConfiguration")
                names = [action.partition(":")[2] for action in grant["Action"]]
                condition = str(grant.get("Condition"))
                bound = "aws:RequestTag/project" in condition or "cloudwatch:namespace" in condition
                assert bound or all(name.startswith(harmless) for name in names), grant["Sid"]


@pytest.mark.parametrize(
    ("role", "principal"),
    [
        ("service", {"Service": "elasticmapreduce.amazonaws.com"}),
        ("nodes", {"Service": "ec2.amazonaws.com"}),
        ("operator", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("auditor", {"AWS": "arn:aws:iam::123456789012:root"}),
    ],
)
def test_a_role_trusts(role, principal):
    [trust] = ROLES[role].trust["Statement"]
    assert trust["Principal"] == principal
    assert trust["Action"] == ["sts:AssumeRole"]


def test_emr_is_trusted_on_behalf_of_this_account_alone():
    [trust] = ROLES["service"].trust["Statement"]
    asked = {"aws:SourceAccount": "123456789012", "aws:SourceArn": CLUSTER}
    whole = trust | {"Resource": "*"}
    assert applies(whole, "sts:AssumeRole", "x", asked)
    assert not applies(whole, "sts:AssumeRole", "x", asked | {"aws:SourceAccount": "999999999999"})


REQUEST = {
    "aws:SecureTransport": "true",
    "aws:PrincipalAccount": "123456789012",
    "aws:PrincipalIsAWSService": "false",
}
HEADER = "s3:x-amz-server-side-encryption"


@pytest.mark.parametrize(
    ("action", "resource", "context", "denied"),
    [
        ("s3:GetObject", PHOTO, REQUEST, False),
        ("s3:GetObject", PHOTO, REQUEST | {"aws:SecureTransport": "false"}, True),
        ("s3:ListBucket", LANDING, REQUEST | {"aws:SecureTransport": "false"}, True),
        ("s3:GetObject", PHOTO, REQUEST | {"aws:PrincipalAccount": "999999999999"}, True),
        ("s3:GetObject", PHOTO, {"aws:SecureTransport": "true"}, True),
        (
            "s3:PutObject",
            PHOTO,
            {"aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "true"},
            False,
        ),
        ("s3:PutObject", PHOTO, REQUEST, False),
        ("s3:PutObject", PHOTO, REQUEST | {HEADER: "AES256"}, True),
        ("s3:PutObject", PHOTO, REQUEST | {HEADER: "aws:kms"}, False),
        (
            "s3:PutObject",
            PHOTO,
            REQUEST | {HEADER: "aws:kms", f"{HEADER}-aws-kms-key-id": KEY},
            False,
        ),
        (
            "s3:PutObject",
            PHOTO,
            REQUEST | {HEADER: "aws:kms", f"{HEADER}-aws-kms-key-id": f"{KEY[:-1]}6"},
            True,
        ),
        ("s3:PutReplicationConfiguration", LANDING, REQUEST, True),
    ],
)
def test_a_bucket_denies(action, resource, context, denied):
    for bucket in BUCKETS.values():
        here = resource.replace("fruit-lake-landing", bucket.name)
        assert (verdict(bucket.policy, action, here, context) == "Deny") == denied


def test_every_bucket_has_its_default_key_and_no_public_access():
    assert sorted(BUCKETS) == ["fruit-lake-artifacts", "fruit-lake-landing", "fruit-lake-tables"]
    for bucket in BUCKETS.values():
        [rule] = bucket.encryption["Rules"]
        default = rule["ApplyServerSideEncryptionByDefault"]
        assert default == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
        assert set(bucket.public_access.values()) == {True}


def test_no_current_object_of_landing_or_lake_expires():
    for name in ("fruit-lake-landing", "fruit-lake-tables"):
        for rule in BUCKETS[name].lifecycle["Rules"]:
            assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}
            assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
            assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


@pytest.mark.parametrize(
    ("journals", "expiring"),
    [
        ("90 days", {"emr/packages/": 90, "emr/logs/": 90}),
        ("3 years", {"emr/packages/": 1098, "emr/logs/": 1098}),
        ("", {}),
    ],
)
def test_packages_and_logs_expire_as_journals_do(journals, expiring):
    _, found = made(f"retention.journals={journals}")
    rules = found["fruit-lake-artifacts"].lifecycle["Rules"]
    dated = {
        r["Filter"]["Prefix"]: r["Expiration"]["Days"] for r in rules if "Days" in r["Expiration"]
    }
    assert dated == expiring


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        ("7 days", 7),
        ("1 day", 1),
        ("168 hours", 7),
        ("1 hour", 1),
        ("2 weeks", 14),
        ("interval 7 days", 7),
    ],
)
def test_an_age_in_days(age, expected):
    assert days(age, of="x") == expected


def test_an_age_that_cannot_be_told_is_refused():
    with pytest.raises(BadInput, match=r"delta\.deleted_file_retention = 'a while'"):
        days("a while", of="delta.deleted_file_retention")


def test_docs_beside_the_lake_are_written_by_the_nodes():
    found, needed = made("paths.docs=s3://fruit-lake-docs/docs")
    page = "arn:aws:s3:::fruit-lake-docs/docs/index.html"
    assert verdict(found["nodes"].permissions, "s3:PutObject", page, {}) == "Allow"
    assert verdict(ROLES["nodes"].permissions, "s3:PutObject", page, {}) == "none"
    assert "fruit-lake-docs" in needed


EXPLAINED = {
    # EC2 checks these calls once for each kind of resource that they touch. Each kind has a statement with
    # a condition of its own, as in AWS' own policy; the test below looks for it.
    "service": {"RESOURCE_MISMATCH"}
    # The role is there to pass the nodes' role to EC2, and to grant EC2 the key.
    | {"PERMISSIONS_MANAGEMENT_ACTIONS"}
    # Nodes are created by starting instances with that role, in our subnets, with EMR's tag.
    | {"PRIVILEGE_ESCALATION"},
    # Launching a cluster takes the right to pass two roles, each to one service.
    "operator": {"PERMISSIONS_MANAGEMENT_ACTIONS"},
}


def findings(document: dict) -> list:
    return analyze_policy_string(json.dumps(document), include_community_auditors=True).findings


@pytest.mark.parametrize("role", sorted(ROLES))
def test_parliament_finds_nothing_in_a_role_that_is_not_explained(role):
    found = findings(ROLES[role].permissions)
    assert {finding.issue for finding in found} == EXPLAINED.get(role, set())
    for finding in found:
        if finding.issue == "RESOURCE_MISMATCH":
            assert [lack for lack in finding.detail if not is_elsewhere(role, **lack)] == []


def is_elsewhere(role: str, action: str, required_format: str) -> bool:
    """Whether another statement names that kind of resource for the action."""
    kind = required_format.rpartition(":")[2].partition("/")[0]
    return any(
        action in grant["Action"] and f":{kind}/" in resource
        for grant in ROLES[role].permissions["Statement"]
        if grant["Effect"] == "Allow"
        for resource in grant["Resource"]
    )


@pytest.mark.parametrize("role", sorted(ROLES))
def test_parliament_finds_nothing_in_a_trust_that_is_not_explained(role):
    # Parliament only knows policies of identities. A trust has a principal, and its resource is the role.
    [trust] = ROLES[role].trust["Statement"]
    here = {key: value for key, value in trust.items() if key != "Principal"}
    here["Resource"] = f"{ROLE}/fruit-lake-{role}"
    found = findings({"Version": "2012-10-17", "Statement": [here]})
    # A trust is there to give out the credentials of a role.
    assert {finding.issue for finding in found} == {"CREDENTIALS_EXPOSURE"}


@pytest.mark.parametrize("bucket", sorted(BUCKETS))
def test_parliament_finds_nothing_in_a_bucket_policy(bucket):
    assert findings(BUCKETS[bucket].policy) == []


def test_policies_are_no_longer_than_aws_allows():
    for role in ROLES.values():
        assert len(json.dumps(role.permissions)) <= 10_240
        assert len(json.dumps(role.trust)) <= 2_048
    for bucket in BUCKETS.values():
        assert len(json.dumps(bucket.policy)) <= 20_480


@pytest.fixture
def calls(monkeypatch):
    """The names of the operations that AWS was asked for, in order."""
    made, original = [], botocore.client.BaseClient._make_api_call

    def recorded(client, operation, parameters):
        made.append(operation)
        return original(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)
    return made


@pytest.fixture
def cloud(monkeypatch, calls):
    for name, value in (
        ("ACCESS_KEY_ID", "testing"),
        ("SECRET_ACCESS_KEY", "testing"),
        ("DEFAULT_REGION", "eu-west-3"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    aws.client.cache_clear()
    with mock_aws():
        yield
    aws.client.cache_clear()


@pytest.fixture
def command(tmp_path):
    def call(*overrides, apply=False):
        settings, screen = load(*overrides), io.StringIO()
        words = Words(out=str(tmp_path / "out"), apply=apply)
        console = Console(file=screen, width=200)
        emr_command.run_policies(words, settings, console)
        return screen.getvalue()

    return call


def written(calls) -> list[str]:
    return [name for name in calls if not name.startswith(("Get", "List", "Describe", "Head"))]


def test_files_need_no_aws_where_the_key_is_an_arn(tmp_path, command, calls):
    command(f"emr.kms_key={KEY}")
    assert calls == []
    held = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    assert held["role-fruit-lake-nodes.permissions.json"] == ROLES["nodes"].permissions
    assert held["role-fruit-lake-nodes.trust.json"] == ROLES["nodes"].trust
    assert held["bucket-fruit-lake-tables.policy.json"] == BUCKETS["fruit-lake-tables"].policy
    alarms = {name for name in held if name.startswith("alarm-")}
    assert len(alarms) == 9
    assert len(held) == 4 * 2 + 3 * 4 + len(alarms)


@pytest.mark.usefixtures("cloud")
def test_files_say_so_where_there_is_no_key_yet(command, calls):
    assert "There is no key alias/fruit-lake in eu-west-3 yet" in command()
    assert written(calls) == []


@pytest.mark.usefixtures("cloud")
def test_an_empty_account_is_made_as_the_files_say(tmp_path, command):
    told = command(apply=True)
    assert "nothing to change" not in told
    held = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()}
    iam, s3, kms = boto3.client("iam"), boto3.client("s3"), boto3.client("kms")
    for name in ("service", "nodes", "operator", "auditor"):
        full = f"fruit-lake-{name}"
        role = iam.get_role(RoleName=full)["Role"]
        assert role["AssumeRolePolicyDocument"] == held[f"role-{full}.trust.json"]
        policy = iam.get_role_policy(RoleName=full, PolicyName=account_setup.POLICY_NAME)
        assert policy["PolicyDocument"] == held[f"role-{full}.permissions.json"]
    profile = iam.get_instance_profile(InstanceProfileName="fruit-lake-nodes")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["fruit-lake-nodes"]
    key = kms.describe_key(KeyId="alias/fruit-lake")["KeyMetadata"]["Arn"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    for name in BUCKETS:
        assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-3"
        policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
        assert policy == held[f"bucket-{name}.policy.json"]
        blocks = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        assert blocks == held[f"bucket-{name}.public-access.json"]
        rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
        assert len(s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]) == len(
            held[f"bucket-{name}.lifecycle.json"]["Rules"]
        )


@pytest.mark.usefixtures("cloud")
def test_a_second_time_changes_nothing_and_says_so(command, calls):
    command(apply=True)
    calls.clear()
    assert "nothing to change: account 123456789012 is as the files say." in command(apply=True)
    assert written(calls) == []


def change_trust():
    boto3.client("iam").update_assume_role_policy(
        RoleName="fruit-lake-nodes",
        PolicyDocument=json.dumps(ROLES["operator"].trust),
    )


def change_permissions():
    boto3.client("iam").put_role_policy(
        RoleName="fruit-lake-auditor",
        PolicyName=account_setup.POLICY_NAME,
        PolicyDocument=json.dumps(ROLES["nodes"].permissions),
    )


def change_profile():
    which = {"InstanceProfileName": "fruit-lake-nodes", "RoleName": "fruit-lake-nodes"}
    boto3.client("iam").remove_role_from_instance_profile(**which)


def change_policy():
    boto3.client("s3").delete_bucket_policy(Bucket="fruit-lake-tables")


def change_public_access():
    boto3.client("s3").delete_public_access_block(Bucket="fruit-lake-tables")


def change_encryption():
    boto3.client("s3").delete_bucket_encryption(Bucket="fruit-lake-tables")


def change_lifecycle():
    boto3.client("s3").delete_bucket_lifecycle(Bucket="fruit-lake-tables")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_trust, "role fruit-lake-nodes: trust"),
        (change_permissions, "role fruit-lake-auditor: permissions"),
        (change_profile, "instance profile fruit-lake-nodes: role"),
        (change_policy, "bucket fruit-lake-tables: policy"),
        (change_public_access, "bucket fruit-lake-tables: public access"),
        (change_encryption, "bucket fruit-lake-tables: encryption"),
        (change_lifecycle, "bucket fruit-lake-tables: lifecycle"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.usefixtures("cloud")
def test_what_was_changed_by_hand_is_set_right_alone(command, change, told):
    command(apply=True)
    change()
    assert command(apply=True).splitlines()[1:] == [told]
    assert "nothing to change" in command(apply=True)


@pytest.mark.usefixtures("cloud")
def test_statements_and_rules_of_others_stay(command):
    command(apply=True)
    s3, which = boto3.client("s3"), {"Bucket": "fruit-lake-landing"}
    theirs = {
        "Sid": "App",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObjectAcl",
        "Resource": "*",
    }
    s3.put_bucket_policy(
        **which, Policy=json.dumps({"Version": "2012-10-17", "Statement": [theirs]})
    )
    rule = {
        "ID": "app",
        "Status": "Enabled",
        "Filter": {"Prefix": "tmp/"},
        "Expiration": {"Days": 1},
    }
    s3.put_bucket_lifecycle_configuration(**which, LifecycleConfiguration={"Rules": [rule]})
    command(apply=True)
    policy = json.loads(s3.get_bucket_policy(**which)["Policy"])
    ours = [each["Sid"] for each in BUCKETS["fruit-lake-landing"].policy["Statement"]]
    assert policy["Statement"][0] == theirs
    assert [each["Sid"] for each in policy["Statement"][1:]] == ours
    assert "app" in [r["ID"] for r in s3.get_bucket_lifecycle_configuration(**which)["Rules"]]


@pytest.mark.usefixtures("cloud")
def test_a_bucket_elsewhere_is_refused_before_anything_is_made(command, calls):
    boto3.client("s3", "us-east-1").create_bucket(Bucket="fruit-lake-artifacts")
    calls.clear()
    with pytest.raises(Refused, match="fruit-lake-artifacts lies in us-east-1"):
        command(apply=True)
    assert written(calls) == []


@pytest.mark.parametrize("apply", [False, True])
def test_a_cluster_outside_the_regions_is_refused(command, calls, apply):
    with pytest.raises(Refused, match=r"emr\.region = us-east-1 is none of buckets\.regions"):
        command("emr.region=us-east-1", apply=apply)
    assert calls == []


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("paths.landing=photos", r"paths\.landing = photos is on this machine"),
        ("paths.lake=s3://fruit-lake-landing/lake", "need a bucket each"),
        ("paths.lake=s3://fruit-lake-tables", "with a prefix of its own"),
        ('emr.tags=["fruit"]', r"emr\.tags: fruit is no tag"),
        (f"emr.kms_key={KEY.replace('eu-west-3', 'eu-west-1')}", "lies in eu-west-1"),
        ("delta.deleted_file_retention=a while", "can't be converted to days"),
    ],
)
def test_settings_that_no_policy_can_be_made_of_are_refused(command, calls, override, told):
    key = () if "kms_key" in override else (f"emr.kms_key={KEY}",)
    with pytest.raises(BadInput, match=told):
        command(override, *key)
    assert calls == []


@pytest.mark.usefixtures("cloud")
def test_a_key_that_is_not_there_and_has_no_alias_is_not_made(command, calls):
    with pytest.raises(BadInput, match="There is no key 11111111-2222-3333-4444-555555555555"):
        command(f"emr.kms_key={KEY.rpartition('/')[2]}", apply=True)
    assert written(calls) == []


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, command):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(BadInput, match="can't be written"):
        command(f"emr.kms_key={KEY}")


def test_nodes_alone_may_receive_and_delete_the_events_of_the_landing_folder():
    """No role may send one, change the queue, or do anything with another one."""
    found, _ = made(f"landing.queue={QUEUE}")
    nodes = found["nodes"].permissions
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueUrl", "GetQueueAttributes"):
        assert verdict(nodes, f"sqs:{action}", QUEUE, {}) == "Allow"
        assert verdict(nodes, f"sqs:{action}", f"{QUEUE}-other", {}) == "none"
        assert verdict(ROLES["nodes"].permissions, f"sqs:{action}", QUEUE, {}) == "none"
        for role in ("operator", "auditor"):
            assert verdict(found[role].permissions, f"sqs:{action}", QUEUE, {}) != "Allow"
    for action in ("SendMessage", "PurgeQueue", "DeleteQueue", "SetQueueAttributes"):
        assert verdict(nodes, f"sqs:{action}", QUEUE, {}) == "none"


def test_nodes_alone_may_read_the_inventory_and_nothing_beside_it():
    found, _ = made("landing.inventory=s3://lists/landing/all")
    nodes, file = found["nodes"].permissions, "arn:aws:s3:::lists/landing/all/data/1.csv.gz"
    assert verdict(nodes, "s3:GetObject", file, {}) == "Allow"
    assert verdict(nodes, "s3:ListBucket", "arn:aws:s3:::lists", {}) == "Allow"
    assert verdict(nodes, "s3:GetObject", "arn:aws:s3:::lists/other/x", {}) == "none"
    assert verdict(nodes, "s3:PutObject", file, {}) == "none"
    assert verdict(ROLES["nodes"].permissions, "s3:GetObject", file, {}) == "none"
    assert verdict(found["operator"].permissions, "s3:GetObject", file, {}) != "Allow"
