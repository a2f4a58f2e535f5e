"""What a bucket must be, before anything in it is read."""

import pytest

from conf.settings import Settings
from lake import aws
from privacy import bucket_checks


@pytest.fixture
def seen(s3):
    """The methods and paths that the server was asked, from then on."""
    asked = []

    def note(method, path):
        asked.append((method, path))

    def begin():
        s3.trouble = note
        return asked

    return begin


def call(command, *words, landing=None, lake):
    roots = ["--lake", f"s3://{lake}/lake", "--set", "subjects.key=env:KEY"]
    return command(*words, *roots, *(["--landing", f"s3://{landing}/photos"] if landing else []))


@pytest.mark.parametrize("outside", ["landing", "lake"])
def test_a_bucket_outside_the_eu_is_refused_before_anything_in_it_is_read(
    s3, seen, command, outside
):
    buckets = {
        name: s3.bucket(name, region="us-west-2" if name == outside else "eu-west-3")
        for name in ("landing", "lake")
    }
    asked = seen()
    code, _, told = call(command, "--layer", "all", **buckets)
    assert code == 5
    assert f"The bucket {buckets[outside]} lies in us-west-2, and photos may lie only in" in told
    assert [path for _, path in asked if path.strip("/") == buckets[outside]]  # its location
    assert not [path for _, path in asked if "/lake/" in path or "/photos/" in path]


def test_one_without_a_block_of_public_access_is_refused(s3, command):
    lake = s3.bucket("lake")
    aws.client("s3").put_public_access_block(
        Bucket=lake, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
    )
    code, _, told = call(command, "status", lake=lake)
    assert (code, "doesn't block public access (1 of 4 blocks are on)" in told) == (5, True)
    aws.client("s3").delete_public_access_block(Bucket=lake)
    code, _, told = call(command, "status", lake=lake)
    assert (code, "(0 of 4 blocks are on)" in told) == (5, True)
    code, _, told = call(command, "status", "--set", "buckets.private=false", lake=lake)
    assert (code, "There is no lake in" in told) == (2, True)


@pytest.mark.parametrize(
    ("algorithm", "wanted", "is_refused"),
    [
        ("aws:kms", "kms", False),
        ("aws:kms:dsse", "kms", False),
        ("AES256", "kms", True),
        ("AES256", "any", False),
        (None, "any", True),
        (None, "none", False),
    ],
)
def test_its_encryption_is_what_the_settings_want(s3, command, algorithm, wanted, is_refused):
    lake = s3.bucket("lake")
    client = aws.client("s3")
    if algorithm is None:
        client.delete_bucket_encryption(Bucket=lake)
    else:
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
        client.put_bucket_encryption(
            Bucket=lake, ServerSideEncryptionConfiguration={"Rules": [rule]}
        )
    code, _, told = call(command, "status", "--set", f"buckets.encryption={wanted}", lake=lake)
    assert code == (5 if is_refused else 2), told


def test_an_object_lock_forbids_erasures_alone(s3, command):
    lake = s3.bucket("lake", versioned=True)
    aws.client("s3").put_object_lock_configuration(
        Bucket=lake, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )
    words = ("erase", "--subject", "anna", "--request", "R-1")
    code, _, told = call(command, *words, landing=s3.bucket("landing"), lake=lake)
    assert (code, "has an object lock: what it holds can't be erased" in told) == (5, True)
    code, shown, told = call(command, "status", lake=lake)
    assert (code, "There is no lake in" in told) == (2, True)
    assert "keeps old versions of objects" in shown


def test_a_bucket_that_is_not_there_or_denied(s3, command, monkeypatch):
    code, _, told = call(command, "status", lake="nobody-has-it")
    assert (code, "There is no bucket nobody-has-it" in told) == (2, True)


def test_a_local_lake_asks_nobody(seen):
    asked = seen()
    settings = Settings.load("local", environment={})
    assert bucket_checks.check([settings.paths.lake], settings.buckets) == []
    assert asked == []
