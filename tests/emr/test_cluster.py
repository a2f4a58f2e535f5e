"""A cluster is launched once, is given steps, is watched and is ended; and each of these can be refused."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from datetime import UTC, datetime

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws
from rich.console import Console

from cli.command import Words
from cli.commands import emr as emr_command
from conf.errors import BadInput, FruitLakeError, Refused
from conf.settings import Settings
from emr import cluster_state
from lake import aws

REGION = "eu-west-3"
BUCKETS = ("fruit-lake-landing", "fruit-lake-tables", "fruit-lake-artifacts")
CERTIFICATES = "emr.certificates=s3://fruit-lake-artifacts/emr/certificates.zip"
SHA = "ab" * 32
OLDER = "cd" * 32
OURS = [{"Key": "project", "Value": "fruit-lake"}, {"Key": "Name", "Value": "fruit-lake"}]
LONG_AGO = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
APPLICATION = "application_1700000000000_0007"


@pytest.fixture
def calls(monkeypatch):
    """The operations that AWS was asked for, with their parameters, in order.

    An error under an operation's name in `calls.failing` is raised in the place of its answer.
    """
    original = botocore.client.BaseClient._make_api_call

    class Calls(list):
        def of(self, name):
            return [parameters for operation, parameters in self if operation == name]

    made = Calls()
    made.failing = {}

    def recorded(client, operation, parameters):
        made.append((operation, parameters))
        if operation in made.failing:
            raise made.failing[operation]
        return original(client, operation, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)
    return made


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Nothing waits between two requests for a state. A test that would wait for ever fails instead.

    `time.sleep` itself stays: a thread of Py4J sleeps by it between the releases of Java's objects.
    """
    waits = Counter()

    def pause():
        waits["pause"] += 1
        assert waits.total() < 100

    monkeypatch.setattr("emr.cluster_state.pause", pause)
    return waits


@pytest.fixture
def empty(monkeypatch, calls):
    """An account with nothing in it."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    aws.client.cache_clear()
    with mock_aws():
        yield
    aws.client.cache_clear()


@pytest.fixture
def cloud(empty):
    """An account with the buckets, the key and two packages. Gives the ARN of the key."""
    kms, s3 = boto3.client("kms"), boto3.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/fruit-lake", TargetKeyId=key)
    for name in BUCKETS:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    put("packages/latest.json", json.dumps({"sha256": SHA}).encode())
    for sha in (SHA, OLDER):
        put(f"packages/{sha}/manifest.json", b"{}")
    return key


def put(name: str, content: bytes) -> None:
    boto3.client("s3").put_object(Bucket="fruit-lake-artifacts", Key=f"emr/{name}", Body=content)


def log(name: str, *lines: str) -> None:
    """Put a log file of the cluster j-1 where EMR puts it."""
    put(f"logs/j-1/{name}.gz", gzip.compress("".join(f"{line}\n" for line in lines).encode()))


@pytest.fixture
def run(empty):
    """A function that runs a subcommand of `emr` and returns what it printed."""

    def call(doing, *overrides, layer="all", package=None, step=None):
        wanted = ['emr.subnets=["subnet-1"]', CERTIFICATES, *overrides]
        settings = Settings.load("emr", environment={}, overrides=wanted)
        words = Words(doing=doing, step_layer=layer, package=package, step=step)
        screen = io.StringIO()
        call.screen = screen
        emr_command.run(words, settings, Console(file=screen, width=200))
        return screen.getvalue()

    return call


def active() -> list[str]:
    found = boto3.client("emr").list_clusters(ClusterStates=list(cluster_state.ACTIVE))
    return [each["Id"] for each in found["Clusters"]]


def test_a_launch_asks_for_what_the_settings_say(cloud, run, calls):
    told = run("launch", "emr.idle_minutes=20", "emr.disk_gb=100", "emr.core_nodes=2")
    assert "WAITING" in told
    [asked] = calls.of("RunJobFlow")
    assert asked["ReleaseLabel"] == "emr-spark-8.0.0"
    assert asked["LogUri"] == "s3://fruit-lake-artifacts/emr/logs/"
    assert asked["LogEncryptionKmsKeyId"] == cloud
    assert asked["AutoTerminationPolicy"] == {"IdleTimeout": 1200}
    assert (asked["ServiceRole"], asked["JobFlowRole"]) == (
        "fruit-lake-service",
        "fruit-lake-nodes",
    )
    tags = {tag["Key"]: tag["Value"] for tag in asked["Tags"]}
    assert tags == {
        "project": "fruit-lake",
        "Name": "fruit-lake",
        "for-use-with-amazon-emr-managed-policies": "true",
    }
    assert asked["ManagedScalingPolicy"]["ComputeLimits"] == {
        "UnitType": "InstanceFleetUnits",
        "MinimumCapacityUnits": 2,
        "MaximumCapacityUnits": 10,
        "MaximumOnDemandCapacityUnits": 2,
        "MaximumCoreCapacityUnits": 2,
    }
    primary, core, task = asked["Instances"]["InstanceFleets"]
    assert (primary["TargetOnDemandCapacity"], core["TargetOnDemandCapacity"]) == (1, 2)
    assert [each["InstanceType"] for each in task["InstanceTypeConfigs"]] == [
        "m5.xlarge",
        "m5a.xlarge",
        "m6i.xlarge",
    ]
    assert "TargetOnDemandCapacity" not in task
    assert (
        task["LaunchSpecifications"]["SpotSpecification"]["TimeoutAction"] == "SWITCH_TO_ON_DEMAND"
    )
    for fleet in (primary, core, task):
        for each in fleet["InstanceTypeConfigs"]:
            [disk] = each["EbsConfiguration"]["EbsBlockDeviceConfigs"]
            assert disk["VolumeSpecification"] == {"VolumeType": "gp3", "SizeInGB": 100}


def test_drivers_run_on_nodes_that_no_other_buyer_takes_away(cloud, run, calls):
    run("launch")
    [asked] = calls.of("RunJobFlow")
    said = {each["Classification"]: each["Properties"] for each in asked["Configurations"]}
    assert said["yarn-site"] == {
        "yarn.node-labels.enabled": "true",
        "yarn.node-labels.am.default-node-label-expression": "CORE",
    }
    assert said["spark"] == {"maximizeResourceAllocation": "false"}
    core = asked["Instances"]["InstanceFleets"][1]
    assert (core["InstanceFleetType"], "TargetSpotCapacity" in core) == ("CORE", False)


def test_no_task_nodes_are_asked_for_where_there_are_to_be_none(cloud, run, calls):
    run("launch", "emr.task_nodes=0")
    [asked] = calls.of("RunJobFlow")
    kinds = [fleet["InstanceFleetType"] for fleet in asked["Instances"]["InstanceFleets"]]
    assert kinds == ["MASTER", "CORE"]
    assert asked["ManagedScalingPolicy"]["ComputeLimits"]["MaximumCapacityUnits"] == 1


def test_nodes_encrypt_disks_objects_and_what_they_send(cloud, run, calls):
    run("launch")
    [asked] = calls.of("RunJobFlow")
    held = boto3.client("emr").describe_security_configuration(Name=asked["SecurityConfiguration"])
    said = json.loads(held["SecurityConfiguration"])
    rest = said["EncryptionConfiguration"]["AtRestEncryptionConfiguration"]
    assert rest["S3EncryptionConfiguration"] == {"EncryptionMode": "SSE-KMS", "AwsKmsKey": cloud}
    assert rest["LocalDiskEncryptionConfiguration"] == {
        "EncryptionKeyProviderType": "AwsKms",
        "AwsKmsKey": cloud,
        "EnableEbsEncryption": True,
    }
    transit = said["EncryptionConfiguration"]["InTransitEncryptionConfiguration"]
    assert transit["TLSCertificateConfiguration"]["S3Object"] == CERTIFICATES.partition("=")[2]
    assert (
        said["InstanceMetadataServiceConfiguration"]["MinimumInstanceMetadataServiceVersion"] == 2
    )


def test_a_second_launch_finds_the_first_cluster(cloud, run, calls):
    run("launch")
    [made] = active()
    assert f"cluster {made} is already there: WAITING." in run("launch")
    assert active() == [made]
    assert len(calls.of("RunJobFlow")) == len(calls.of("CreateSecurityConfiguration")) == 1


def test_a_security_configuration_is_made_once_for_all_clusters(cloud, run, calls):
    run("launch")
    run("terminate")
    run("launch")
    assert len(calls.of("RunJobFlow")) == 2
    assert len(calls.of("CreateSecurityConfiguration")) == 1


def test_another_project_s_cluster_of_the_same_name_is_not_ours(cloud, run, calls):
    run("launch", 'emr.tags=["project=other"]')
    run("launch")
    assert len(active()) == 2
    run("terminate")
    assert len(active()) == 1


def test_of_two_that_were_launched_at_once_the_later_one_ends(cloud, run, monkeypatch):
    run("launch")
    [first] = active()
    monkeypatch.setattr(cluster_state, "newest", lambda own, states: None)
    told = run("launch")
    assert active() == [first]
    assert f"cluster {first} was launched by somebody else just before" in told


NO_BUCKET = "fruit-lake-nowhere"


@pytest.mark.parametrize(
    ("override", "error", "told"),
    [
        ("emr.subnets=[]", BadInput, r"emr\.subnets is empty"),
        (
            "emr.certificates=",
            BadInput,
            r"make it by `openssl req .*set emr\.certificates=s3://fruit",
        ),
        ("emr.kms_key=alias/none", BadInput, "There is no key alias/none"),
        (f"paths.landing=s3://{NO_BUCKET}/photos", BadInput, f"There is no bucket {NO_BUCKET}"),
        ("paths.lake=data/lake", BadInput, r"paths\.lake = data/lake is on this machine"),
        ("emr.region=us-east-1", Refused, r"us-east-1 is none of buckets\.regions"),
        ("emr.region=eu-west-1", Refused, "lies in eu-west-3 and the cluster in eu-west-1"),
        ("paths.lake=s3://fruit-lake-far/lake", Refused, "fruit-lake-far lies in us-east-1"),
    ],
)
def test_a_launch_is_refused(cloud, run, calls, override, error, told):
    boto3.client("s3", "us-east-1").create_bucket(Bucket="fruit-lake-far")
    with pytest.raises(error, match=told) as raised:
        run("launch", override)
    assert type(raised.value) is error
    assert calls.of("RunJobFlow") == []


def refusal(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (
            "ValidationException",
            "The vCPU quota is exceeded",
            "A quota of the account doesn't allow this request",
        ),
        ("AccessDeniedException", "not authorized", "AWS denies to launch the cluster"),
        (
            "ValidationException",
            "Invalid InstanceProfile",
            "AWS refuses to launch the cluster: Invalid",
        ),
        ("ThrottlingException", "Rate exceeded", "AWS refuses to launch the cluster for now"),
    ],
)
def test_what_aws_refuses_is_one_sentence(cloud, run, calls, code, message, told):
    calls.failing["RunJobFlow"] = refusal(code, message, "RunJobFlow")
    with pytest.raises(FruitLakeError, match=told):
        run("launch")


@pytest.mark.parametrize("doing", ["launch", "submit", "status", "logs", "terminate"])
def test_without_credentials_the_sentence_says_how_to_get_some(monkeypatch, doing):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    settings = Settings.load("emr", environment={}, overrides=[CERTIFICATES])
    words = Words(doing=doing, step_layer="all", package=None, step=None)
    aws.client.cache_clear()
    with pytest.raises(FruitLakeError, match="there are no credentials: log in"):
        emr_command.run(words, settings, Console(file=io.StringIO()))
    aws.client.cache_clear()


# A stub answers what moto doesn't have, or only has in one state. botocore checks each request and each
# answer against its own model.


@pytest.fixture
def emr(cloud):
    with Stubber(aws.client("emr", REGION)) as stub:
        yield stub
        stub.assert_no_pending_responses()


def told_cluster(now="WAITING", why=None, tags=OURS) -> dict:
    reason = {"StateChangeReason": {"Message": why}} if why else {}
    status = {"State": now, "Timeline": {"CreationDateTime": LONG_AGO}, **reason}
    return {"Cluster": {"Id": "j-1", "Name": "fruit-lake", "Status": status, "Tags": tags}}


def told_step(now, step="s-1", name=f"all {SHA[:12]}", hour=5, **more) -> dict:
    created = datetime(2026, 1, 2, hour, tzinfo=UTC)
    status = {"State": now, "Timeline": {"CreationDateTime": created}, **more}
    return {"Id": step, "Name": name, "Status": status}


def hold_cluster(stub, states=cluster_state.ACTIVE, now="WAITING") -> None:
    """Answer the two requests by which a cluster is found by its name and tags."""
    found = told_cluster(now)["Cluster"] | {}
    found.pop("Tags")
    stub.add_response("list_clusters", {"Clusters": [found]}, {"ClusterStates": list(states)})
    stub.add_response("describe_cluster", told_cluster(now), {"ClusterId": "j-1"})


def hold_steps(stub, *steps) -> None:
    stub.add_response("list_steps", {"Steps": list(steps)}, {"ClusterId": "j-1"})


def see_step(stub, now, **more) -> None:
    asked = {"ClusterId": "j-1", "StepId": "s-1"}
    stub.add_response("describe_step", {"Step": told_step(now, **more)}, asked)


def add_step(stub) -> None:
    stub.add_response("add_job_flow_steps", {"StepIds": ["s-1"]})


def end_of_driver(*lines: str, attempt: int = 1) -> None:
    """Put the logs of a step that became an application, with these lines of its driver."""
    log("steps/s-1/stderr", "INFO Submitting", f"INFO Submitted {APPLICATION}")
    container = f"container_1700000000000_0007_0{attempt}_000001"
    log(f"containers/{APPLICATION}/{container}/stdout", *lines)


def test_a_cluster_that_ends_before_it_is_ready_says_why(emr, run):
    hold_cluster(emr, now="STARTING")
    emr.add_response("describe_cluster", told_cluster("BOOTSTRAPPING"), {"ClusterId": "j-1"})
    ended = told_cluster("TERMINATED_WITH_ERRORS", "The vCPU limit is 32.")
    emr.add_response("describe_cluster", ended, {"ClusterId": "j-1"})
    with pytest.raises(FruitLakeError, match=r"ended before it was ready \(The vCPU limit is 32\)"):
        run("launch")
    assert "cluster j-1: BOOTSTRAPPING" in run.screen.getvalue()


@pytest.mark.parametrize(
    ("layer", "package", "used"),
    [
        *((layer, None, SHA) for layer in ("bronze", "silver", "gold", "all")),
        ("all", OLDER, OLDER),
        ("all", OLDER[:6], OLDER),  # the beginning of its id is enough
    ],
)
def test_a_submitted_step_runs_the_layer_of_a_package(emr, run, calls, layer, package, used):
    hold_cluster(emr)
    hold_steps(emr)
    add_step(emr)
    for now in ("PENDING", "RUNNING", "RUNNING", "COMPLETED"):
        see_step(emr, now)
    told = run("submit", layer=layer, package=package)
    assert told.splitlines()[1:] == [
        f"step s-1: {now}" for now in ("PENDING", "RUNNING", "COMPLETED")
    ]
    [asked] = calls.of("AddJobFlowSteps")
    [step] = asked["Steps"]
    command = step["HadoopJarStep"]["Args"]
    assert step["HadoopJarStep"]["Jar"] == "command-runner.jar"
    assert step["ActionOnFailure"] == "CONTINUE"
    assert command[0] == "spark-submit"
    assert command[command.index("--deploy-mode") + 1] == "cluster"
    assert command[command.index("--layer") + 1] == layer
    assert any(f"packages/{used}/" in word for word in command)


def test_the_same_run_is_waited_for_and_not_submitted_twice(emr, run, calls):
    hold_cluster(emr)
    hold_steps(emr, told_step("RUNNING"), told_step("COMPLETED", step="s-0", hour=4))
    see_step(emr, "COMPLETED")
    assert "step s-1 is already there: RUNNING." in run("submit")
    assert calls.of("AddJobFlowSteps") == []


@pytest.mark.parametrize(
    "there",
    [
        told_step("COMPLETED", step="s-0"),
        told_step("RUNNING", step="s-0", name=f"gold {SHA[:12]}"),
        told_step("RUNNING", step="s-0", name=f"all {OLDER[:12]}"),
    ],
)
def test_another_run_is_submitted(emr, run, calls, there):
    hold_cluster(emr)
    hold_steps(emr, there)
    add_step(emr)
    see_step(emr, "COMPLETED")
    run("submit")
    assert len(calls.of("AddJobFlowSteps")) == 1


@pytest.mark.parametrize(("doing", "found"), [("submit", "step s-1"), ("launch", "cluster j-1")])
def test_ctrl_c_leaves_it_going_and_says_how_to_look(emr, run, monkeypatch, doing, found):
    hold_cluster(emr, now="STARTING")
    if doing == "submit":
        hold_steps(emr)
        add_step(emr)
        see_step(emr, "RUNNING")
    else:
        emr.add_response("describe_cluster", told_cluster("STARTING"), {"ClusterId": "j-1"})

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("emr.cluster_state.pause", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(doing)
    last = run.screen.getvalue().splitlines()[-1]
    assert last.startswith(f"{found} goes on without this command; run.py emr status shows it")


def submit_and_fail(stub, run, **more):
    hold_cluster(stub)
    hold_steps(stub)
    add_step(stub)
    see_step(stub, "FAILED", **more)
    stub.add_response("describe_cluster", told_cluster(), {"ClusterId": "j-1"})
    with pytest.raises(FruitLakeError) as raised:
        run("submit")
    return str(raised.value), run.screen.getvalue()


def test_a_failed_step_says_what_run_py_said(emr, run):
    last = "error: Chunk 7 is blocked: too_many_refused."
    end_of_driver("bronze", "error: of something before", last, "more")
    error, screen = submit_and_fail(emr, run)
    assert error == "The step s-1 failed: Chunk 7 is blocked: too_many_refused."
    assert "bronze" in screen
    assert f"{APPLICATION}/container_1700000000000_0007_01_000001/stdout.gz" in screen


def test_the_log_of_the_last_attempt_counts(emr, run):
    end_of_driver("error: the first attempt")
    end_of_driver("error: the second attempt", attempt=2)
    error, screen = submit_and_fail(emr, run)
    assert error == "The step s-1 failed: the second attempt"
    assert "the first attempt" not in screen


def test_an_executor_s_log_is_not_the_driver_s(emr, run):
    end_of_driver("error: of the driver")
    executor = "container_1700000000000_0007_01_000002"
    log(f"containers/{APPLICATION}/{executor}/stdout", "error: of an executor")
    error, screen = submit_and_fail(emr, run)
    assert error == "The step s-1 failed: of the driver"
    assert "of an executor" not in screen


def test_a_log_that_comes_late_is_waited_for(emr, run, monkeypatch, no_waiting):
    monkeypatch.setattr("emr.cluster_state.pause", lambda: end_of_driver("error: at last."))
    error, _ = submit_and_fail(emr, run)
    assert error == "The step s-1 failed: at last."


def test_a_step_that_failed_before_it_had_a_driver_shows_its_own_log(emr, run, no_waiting):
    log("steps/s-1/stderr", "Exception: no such archive")
    why = {"FailureDetails": {"Reason": "Unknown Error."}}
    error, screen = submit_and_fail(emr, run, **why)
    assert error.startswith(
        "The step s-1 failed (Unknown Error.) and there is no log of its driver"
    )
    assert "Exception: no such archive" in screen
    assert no_waiting.total() > 20


def test_a_failure_without_an_error_line_says_what_emr_said(emr, run):
    end_of_driver("Killed")
    error, _ = submit_and_fail(emr, run, FailureDetails={"Message": "Exit status 137"})
    assert error == "The step s-1 failed: Exit status 137; the end of its log is above."


def test_a_cluster_that_ends_under_a_step_says_why(emr, run):
    hold_cluster(emr)
    hold_steps(emr)
    add_step(emr)
    see_step(emr, "CANCELLED")
    ended = told_cluster("TERMINATING", "Terminated by user request")
    emr.add_response("describe_cluster", ended, {"ClusterId": "j-1"})
    with pytest.raises(
        FruitLakeError, match=r"The cluster j-1 ended while the step s-1 ran \(Termin"
    ):
        run("submit")


def test_a_step_that_was_cancelled_says_so(emr, run):
    hold_cluster(emr)
    hold_steps(emr)
    add_step(emr)
    see_step(emr, "CANCELLED")
    emr.add_response("describe_cluster", told_cluster(), {"ClusterId": "j-1"})
    with pytest.raises(FruitLakeError, match="The step s-1 was cancelled"):
        run("submit")


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("slver", "There is no layer slver; did you mean silver"),
        ("tin", "name one of bronze, silver"),
    ],
)
def test_a_layer_that_is_none_is_refused(cloud, run, layer, told):
    with pytest.raises(BadInput, match=told):
        run("submit", layer=layer)


def test_a_submission_without_a_cluster_is_refused(cloud, run):
    with pytest.raises(BadInput, match=r"There is no cluster fruit-lake; run\.py emr launch"):
        run("submit")


def test_a_submission_without_its_package_is_refused(cloud, run, calls):
    run("launch")
    with pytest.raises(BadInput, match=f"There is no package {'ef' * 32}"):
        run("submit", package="ef" * 32)
    boto3.client("s3").delete_object(Bucket="fruit-lake-artifacts", Key="emr/packages/latest.json")
    with pytest.raises(BadInput, match="There is no package"):
        run("submit")
    assert calls.of("AddJobFlowSteps") == []


def test_a_submission_for_a_bucket_elsewhere_is_refused(cloud, run, calls):
    boto3.client("s3", "us-east-1").create_bucket(Bucket="fruit-lake-far")
    run("launch")
    with pytest.raises(Refused, match="fruit-lake-far lies in us-east-1"):
        run("submit", "paths.landing=s3://fruit-lake-far/photos")
    assert calls.of("AddJobFlowSteps") == []


def test_status_shows_the_cluster_its_nodes_and_its_steps(emr, run):
    hold_cluster(emr, states=cluster_state.ANY)
    fleet = {
        "Name": "task",
        "Status": {"State": "RUNNING"},
        "InstanceTypeSpecifications": [
            {"InstanceType": "m5.xlarge"},
            {"InstanceType": "m5a.xlarge"},
        ],
        "TargetSpotCapacity": 8,
        "ProvisionedSpotCapacity": 3,
    }
    answer = {"InstanceFleets": [fleet]}
    emr.add_response("list_instance_fleets", answer, {"ClusterId": "j-1"})
    failed = told_step("FAILED", step="s-2", hour=6, FailureDetails={"Message": "[gone]"})
    hold_steps(emr, failed, told_step("COMPLETED"))
    told = run("status")
    assert "cluster j-1, fruit-lake: WAITING, made at 2026-01-02 03:04" in told
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in told.splitlines()]
    assert ["task", "RUNNING", "m5.xlarge, m5a.xlarge", "0 of 0", "3 of 8"] in rows
    assert ["s-2", f"all {SHA[:12]}", "FAILED", "2026-01-02 06:00", "–", "[gone]"] in rows
    assert ["s-1", f"all {SHA[:12]}", "COMPLETED", "2026-01-02 05:00", "–", ""] in rows


def test_status_says_where_there_is_no_cluster(cloud, run):
    assert (
        run("status")
        == "There is no cluster fruit-lake in eu-west-3; run.py emr launch makes it.\n"
    )


def test_logs_are_of_the_last_step_also_on_a_cluster_that_has_ended(emr, run):
    end_of_driver(*[f"line {n}" for n in range(100)])
    hold_cluster(emr, states=cluster_state.ANY, now="TERMINATED")
    hold_steps(emr, told_step("FAILED"), told_step("COMPLETED", step="s-0", hour=4))
    shown = [line for line in run("logs").splitlines() if line.startswith("line ")]
    assert shown == [f"line {n}" for n in range(60, 100)]


def test_logs_are_of_the_step_that_is_named(emr, run):
    log("steps/s-0/stderr", "of the step before")
    hold_cluster(emr, states=cluster_state.ANY)
    hold_steps(emr, told_step("FAILED"), told_step("FAILED", step="s-0", hour=4))
    assert "of the step before" in run("logs", step="s-0")


@pytest.mark.parametrize(
    ("steps", "step", "told"),
    [
        ([], None, "has no steps"),
        ([told_step("FAILED")], "s-9", "There is no step s-9, .*; the last ones of .* are s-1"),
        ([told_step("RUNNING")], None, "There is no log of s-1 in S3 yet"),
    ],
)
def test_logs_that_are_not_there_are_refused(emr, run, steps, step, told):
    hold_cluster(emr, states=cluster_state.ANY)
    hold_steps(emr, *steps)
    with pytest.raises(BadInput, match=told):
        run("logs", step=step)


def test_logs_without_a_cluster_are_refused(cloud, run):
    with pytest.raises(BadInput, match="There is no cluster fruit-lake in eu-west-3"):
        run("logs")


def test_a_cluster_is_ended_once(cloud, run, calls):
    run("launch")
    assert "photos, tables, packages and logs are in S3" in run("terminate")
    assert active() == []
    assert run("terminate") == "There is no cluster fruit-lake in eu-west-3 to end.\n"
    assert len(calls.of("TerminateJobFlows")) == 1


def test_a_cluster_that_is_ending_is_waited_for(emr, run, calls):
    hold_cluster(emr, states=(*cluster_state.ACTIVE, "TERMINATING"), now="TERMINATING")
    for now in ("TERMINATING", "TERMINATING", "TERMINATED"):
        emr.add_response("describe_cluster", told_cluster(now), {"ClusterId": "j-1"})
    assert "cluster j-1: TERMINATED" in run("terminate")
    assert calls.of("TerminateJobFlows") == []


def test_a_cluster_that_is_protected_is_not_ended(cloud, run, calls):
    run("launch")
    calls.failing["TerminateJobFlows"] = refusal(
        "ValidationException",
        "Could not shut down: termination protection is on",
        "TerminateJobFlows",
    )
    with pytest.raises(BadInput, match="termination protection is on"):
        run("terminate")
