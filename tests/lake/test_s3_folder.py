"""A bucket as a folder, against a real server: swaps, listings, versions, and what goes wrong."""

import itertools
import multiprocessing
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.stub import Stubber
from deltalake import write_deltalake

from conf.errors import BadInput, BadSettings, Busy
from lake import arrow_reads, aws, delta_rs_reader, lease, secret_places
from lake.row_source import RowSource
from lake.storage import s3_requests
from lake.storage.connectors import arrow_files, delta_rs_options
from lake.storage.folder import StoredKind
from lake.storage.locate import folder
from lake.storage.s3_requests import StorageFailed

WRITERS, TIMES = 3, 15


@pytest.fixture
def files(s3):
    """A folder in a bucket that keeps versions."""
    return folder(f"s3://{s3.bucket('lake', versioned=True)}/deep/lake")


def test_what_a_folder_can_do_a_bucket_can(files):
    files.make()
    assert files.read("a/b.json") is None
    files.write("a/b.json", b'{"n": 1}')
    files.write("a/c/d.json", b"{}")
    files.write("ab", b"")
    assert files.read_json("a/b.json") == {"n": 1}
    assert files.exists("a/b.json")
    assert files.exists("a")
    assert not files.exists("a/b")
    assert files.names("a", suffix=".json") == ["b.json"]
    assert files.folders("a") == ["c"]
    assert files.current("a") == {"a/b.json": 8, "a/c/d.json": 2}
    files.copy_folder("a", "e")
    assert files.current("e") == {"e/b.json": 8, "e/c/d.json": 2}
    files.delete_folder("a", check=lambda: files.write("a/later.json", b""))
    assert files.current("a") == {"a/later.json": 0}
    files.delete("a/later.json")
    files.delete("ab")
    assert sorted(files.current("")) == ["e/b.json", "e/c/d.json"]
    files.delete_folder("nothing", check=lambda: None)


def test_a_name_is_known_again_from_what_spark_tells(files):
    assert files.name_of(f"{files.root}/t/part%20of%23one.parquet") == "t/part of#one.parquet"


def test_arrow_waits_for_a_bucket_that_is_silent_or_throttles(files, s3):
    """As boto3 and Spark's connector do: Arrow would give up after three seconds, or three times."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"photo_id": ["1"]}), sink)
    files.write("t.parquet", sink.getvalue().to_pybytes())
    troubles = ["503"] * 4 + ["silence"]

    def trouble(method, path):
        asked = method == "GET" and path.endswith("t.parquet")
        return troubles.pop() if asked and troubles else None

    s3.trouble = trouble
    read = pq.read_table("t.parquet", filesystem=arrow_files(files.root))
    assert read["photo_id"].to_pylist() == ["1"]
    assert troubles == []


@pytest.fixture
def throttled(files, s3, monkeypatch):
    """A table of two files, and how to have S3 throttle reads of a few bytes of them."""
    monkeypatch.setattr(arrow_reads, "FIRST_WAIT", 0.01)
    rows = {"photo_id": [str(n) for n in range(20_000)], "reason": [None] * 19_999 + ["odd"]}
    for half in (slice(0, 10_000), slice(10_000, None)):
        part = pa.table({name: pa.array(rows[name][half], pa.string()) for name in rows})
        write_deltalake(
            f"{files.root}/t", part, mode="append", storage_options=delta_rs_options(files.root)
        )

    def throttle(*numbers):
        """Refuse the GETs of data files that have these numbers, from 0."""
        asked = itertools.count()

        def trouble(method, path):
            is_read = method == "GET" and path.endswith(".parquet")
            return "503" if is_read and next(asked) in numbers else None

        s3.trouble = trouble
        return delta_rs_reader.open_table(files.root, "t")

    return throttle


WAYS = {
    "read": lambda table: delta_rs_reader.read(table, columns=["reason"]),
    "batches": lambda table: _of(delta_rs_reader.batches(table, columns=["reason"])),
    "small": lambda table: _of(delta_rs_reader.small_batches(table, columns=["reason"], rows=300)),
    "source": lambda table: _of(RowSource(None, delta_rs_reader.scan(table)).batches("reason")),
}


def _of(batches):
    return pa.Table.from_batches(batches)


@pytest.mark.parametrize("way", WAYS)
def test_a_bucket_that_throttles_a_read_of_few_bytes_is_asked_again(throttled, way, s3):
    """Each row is read once: the client of AWS ends such a read with an error that it never tries again."""
    right = WAYS[way](throttled())["reason"].to_pylist()
    assert len(right) == 20_000
    failed = 0
    for number in range(8):
        table = throttled(number, number + 1)
        assert WAYS[way](table)["reason"].to_pylist() == right
        failed += s3.troubled
    assert failed >= 8


def test_one_that_never_stops_is_an_error(throttled, monkeypatch):
    monkeypatch.setattr(arrow_reads, "FIRST_WAIT", 0)
    table = throttled(*range(2, 2000))
    # Which read meets it first is chance: one that has no room for the answer, or one that has.
    with pytest.raises(OSError, match=f"{arrow_reads.NO_ROOM}|SLOW_DOWN"):
        delta_rs_reader.read(table, columns=["reason"])


def test_an_object_is_read_from_anywhere_in_it(files):
    table = pa.table({"photo_id": [str(n) for n in range(1000)], "content": [b"x" * 5000] * 1000})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=100)
    files.write("t.parquet", sink.getvalue().to_pybytes())
    with files.open("t.parquet") as raw, pq.ParquetFile(raw) as file:
        assert file.read(columns=["photo_id"])["photo_id"].to_pylist()[-1] == "999"
        assert file.read_row_group(3).num_rows == 100
    with pytest.raises(FileNotFoundError):
        files.open("absent")


def test_a_swap_happens_where_the_object_holds_what_was_expected(files):
    assert not files.swap("a", b"2", expected=b"1")
    assert files.swap("a", b"1", expected=None)
    assert not files.swap("a", b"2", expected=None)
    assert files.swap("a", b"2", expected=b"1")
    assert files.read("a") == b"2"
    assert not files.swap("a", None, expected=b"1")
    assert files.swap("a", None, expected=b"2")
    assert not files.exists("a")


def _count_up(root):
    files, done = folder(root), 0
    while done < TIMES:
        held = files.read("count")
        done += files.swap("count", b"%d" % (int(held) + 1), expected=held)


def test_of_many_swaps_at_once_none_is_lost(files):
    files.write("count", b"0")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_count_up, args=(files.root,)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert int(files.read("count")) == WRITERS * TIMES


def test_a_swap_whose_answer_was_lost_counts_once(files, s3):
    """The request is repeated, and finds its own object there."""
    files.write("a", b"1")

    def answer_is_lost(method, path):
        if method != "PUT" or s3.troubled:
            return None
        return "lost"

    s3.trouble = answer_is_lost
    assert files.swap("a", b"2", expected=b"1")
    assert s3.troubled == 1
    assert files.read("a") == b"2"


def test_the_lease_is_held_by_one_and_taken_over_from_the_silent(files):
    first = lease.held(files, run_id="first", seconds=60)
    with first, pytest.raises(Busy) as refused, lease.held(files, run_id="second", seconds=60):
        pass
    assert files.root in str(refused.value)
    assert not files.exists(lease.NAME)
    silent = lease.Holder.here(run_id="silent", seconds=0.5, is_fenced=True)
    files.write(lease.NAME, replace(silent, machine="another", renewed=1.0).content())
    with lease.held(files, run_id="next", seconds=60) as own:
        assert not own.is_fenced
        own.check()


def test_one_that_was_taken_over_can_not_renew(files):
    with lease.held(files, run_id="paused", seconds=60) as own:
        taken = lease.Holder.here(run_id="next", seconds=60, is_fenced=False)
        files.write(lease.NAME, taken.content())
        with pytest.raises(Busy, match="was taken over by run next"):
            own.check()


def test_every_version_is_listed_and_goes(files):
    s3 = aws.client("s3")
    files.write("a", b"old")
    files.write("a", b"new")
    files.write("b", b"gone")
    files.delete("b")
    s3.create_multipart_upload(Bucket=files.bucket, Key=f"{files.prefix}/c")
    found = {(each.name, each.kind) for each in files.stored()}
    assert found == {
        ("a", StoredKind.FILE),
        ("a", StoredKind.NONCURRENT),
        ("b", StoredKind.NONCURRENT),
        ("b", StoredKind.MARKER),
        ("c", StoredKind.UPLOAD),
    }
    [old] = [
        each for each in files.stored() if each.name == "a" and each.kind is StoredKind.NONCURRENT
    ]
    with old.open() as file:
        assert file.read() == b"old"
    assert "noncurrent version" in str(old)
    for each in files.superseded():
        each.remove()
    assert [(each.name, each.kind) for each in files.stored()] == [("a", StoredKind.FILE)]


def test_a_bucket_that_throttles_is_asked_again_and_at_last_told_of(files, s3, monkeypatch):
    files.write("a", b"1")
    s3.trouble = lambda method, path: "503" if s3.troubled < 3 else None
    assert files.read("a") == b"1"
    assert s3.troubled == 3
    monkeypatch.setattr(aws, "ATTEMPTS", 2)
    aws.client.cache_clear()
    s3.trouble = lambda method, path: "503"
    with pytest.raises(
        StorageFailed, match=r"AWS refuses .*/a for now.*run the same command again"
    ) as told:
        files.read("a")
    assert told.value.exit_code == 1
    assert isinstance(told.value, OSError)


@pytest.mark.parametrize(
    ("code", "message", "exit_code"),
    [
        ("AccessDenied", "AWS denies .*; grant it", 2),
        ("ExpiredToken", "not valid .*; log in again", 2),
        ("ServiceQuotaExceededException", "A quota of the account doesn't allow this request", 1),
        ("InvalidBucketName", "AWS refuses", 2),
    ],
)
def test_what_aws_answers_is_one_sentence(files, code, message, exit_code):
    with Stubber(aws.client("s3")) as stub:
        stub.add_client_error("get_object", code, "some reason.")
        with pytest.raises(StorageFailed, match=message) as told:
            files.read("a")
    assert told.value.exit_code == exit_code
    assert "\n" not in str(told.value)


def test_without_credentials_it_is_said_how_to_get_some(files, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    aws.client.cache_clear()
    with pytest.raises(StorageFailed, match="there are no credentials: log in") as told:
        files.read("a")
    assert told.value.exit_code == BadInput.exit_code


def test_nobody_answers(files, monkeypatch, s3):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(aws, "ATTEMPTS", 1)
    aws.client.cache_clear()
    with pytest.raises(StorageFailed, match=r"did not answer .*check the network"):
        files.read("a")


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://bucket/", "s3:///prefix", "s3://"])
def test_a_lake_without_bucket_or_prefix_is_refused(uri):
    with pytest.raises(BadInput, match="write it as s3://bucket/prefix"):
        delta_rs_reader.check_address(uri)


@pytest.mark.parametrize("uri", ["s3:///prefix", "s3://"])
def test_a_folder_without_bucket_is_refused(uri):
    with pytest.raises(BadInput, match="write it as s3://bucket/prefix"):
        folder(uri)


def test_a_bucket_that_is_not_there_is_told(s3):
    with pytest.raises(BadInput, match="There is no bucket nobody-has-it"):
        s3_requests.bucket_region("nobody-has-it")


def test_the_key_comes_from_a_secret(s3):
    made = aws.client("secretsmanager", "eu-west-3").create_secret(
        Name="subjects", SecretString="0123456789abcdef\n"
    )
    found = secret_places.load(f"aws-secret:{made['ARN']}", lake="s3://b/lake", make=True)
    assert found.secret == b"0123456789abcdef"
    absent = made["ARN"].replace("subjects", "others")
    with pytest.raises(BadInput, match="the secret others"):
        secret_places.load(f"aws-secret:{absent}", lake="s3://b/lake", make=True)


@pytest.mark.parametrize("reference", ["aws-secret:name", "file:{lake}.key"])
def test_keys_that_a_lake_in_s3_can_not_have(reference):
    with pytest.raises(BadSettings, match=r"whole ARN|can't lie beside a lake in S3"):
        secret_places.load(reference, lake="s3://bucket/lake", make=True)
