"""A landing folder in a bucket: all of it is listed once, and the version that was listed is what is read."""

from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from bronze.bronze_rows import Admission, read_one
from bronze.landing import Landing, arrival, overlap
from lake import aws
from lake.known_keys import UNREADABLE
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import ObjectGone, ObjectUnreadable
from lake.storage.locate import folder
from lake.storage.s3_folder import S3Folder
from lake.storage.s3_requests import StorageFailed

STRANGE = (
    "a:b",
    "[1]",
    "{a,b}",
    "_x",
    ".y",
    "é ü#?",
    "a%20b+c",
    "subject=zoë/2026/x",
)


@pytest.fixture
def root(s3):
    """An empty landing folder in a bucket, with something beside it whose name begins alike."""
    root = f"s3://{s3.bucket('landing')}/app/photos"
    folder(f"{root}-of-others").write("x.jpg", b"other")
    return root


def put(root, names):
    for name in names:
        folder(root).write(name, name.encode())


def listed(root):
    return {found.path: found for found in Landing(root).objects()}


def test_any_name_is_listed_and_read(root):
    put(root, STRANGE)
    found = listed(root)
    assert found.keys() == set(STRANGE)
    for name in STRANGE:
        assert Landing(root).read(found[name]) == name.encode()
    assert listed(root) == found


def test_a_whole_bucket_is_a_landing_folder(s3):
    bucket = s3.bucket("everything")
    root = f"s3://{bucket}"
    for name in (*STRANGE, "top.jpg", "/slash.jpg"):
        aws.client("s3").put_object(Bucket=bucket, Key=name, Body=name.encode())
    for place in (root, f"{root}/"):
        found = listed(place)
        assert found.keys() == {*STRANGE, "top.jpg", "/slash.jpg"}
        assert all(Landing(place).read(each) == name.encode() for name, each in found.items())
    assert {each.name for each in folder(root).stored()} == found.keys()
    folder(root).write("made.jpg", b"x")
    assert aws.client("s3").get_object(Bucket=bucket, Key="made.jpg")["Body"].read() == b"x"
    assert folder(root).name_of(f"{root}/a/b.jpg") == "a/b.jpg"
    assert overlap(root, f"{root}/lake")


@pytest.mark.parametrize("page", [1000, 2])
@pytest.mark.parametrize("subjects", [0, 1, 5, 20])
def test_what_several_requests_list_is_all_and_nothing_twice(root, monkeypatch, subjects, page):
    names = [
        f"subject={n:03}/{day}/{i}.jpg" for n in range(subjects) for day in "ab" for i in (1, 2)
    ]
    names += ["top.jpg", "zoo.jpg", "Subject.jpg"]
    put(root, names)
    real = S3Folder._pages

    def short(self, call, under, **more):
        return real(self, call, under, PaginationConfig={"PageSize": page}, **more)

    monkeypatch.setattr(S3Folder, "_pages", short)
    assert sorted(each.path for each in Landing(root).objects()) == sorted(names)


def test_what_consoles_make_for_a_folder_is_no_photo(root):
    put(root, ["kiwi/a.jpg"])
    client, place = aws.client("s3"), folder(root)
    for key in ("kiwi/", "empty/", ""):
        client.put_object(Bucket=place.bucket, Key=f"{place.prefix}/{key}", Body=b"")
    assert listed(root).keys() == {"kiwi/a.jpg"}


KEYS = (
    *("a.jpg", "//x.jpg", "/y.jpg", "a//b.jpg", "a/", "b/", "b/k.jpg", "c/", "../z.jpg"),
    *("k/../z.jpg", "k/./z.jpg", "a%2Fb", "a+b c", "\x01.jpg", "x" * 900, "é" * 450, "😀/1.jpg"),
    *("\ue000/1.jpg", " lead", "trail ", "?q=1&x", "#f", "."),
)
"""Keys that a bucket allows. Those that end with a slash have bytes, and so are no folders of a console."""


def test_every_key_that_has_bytes_is_listed_and_read(root):
    client, place = aws.client("s3"), folder(root)
    for key in KEYS:
        whole = f"{place.prefix}/{key}"
        client.put_object(Bucket=place.bucket, Key=whole, Body=key.encode())
    found = listed(root)
    assert found.keys() == set(KEYS)
    assert all(Landing(root).read(each) == key.encode() for key, each in found.items())


def test_a_version_is_told_by_its_etag_and_read_as_that_alone(root):
    put(root, ["a.jpg", "b.jpg"])
    before = listed(root)
    folder(root).write("a.jpg", b"other")
    folder(root).delete("b.jpg")
    assert listed(root)["a.jpg"].etag != before["a.jpg"].etag
    for found in before.values():
        with pytest.raises(ObjectGone):
            Landing(root).read(found)
        assert not Landing(root).is_readable(found)
    assert Landing(root).is_readable(listed(root)["a.jpg"])


OF_OBJECT = [
    ("AccessDenied", 403),
    ("InvalidObjectState", 403),
    ("KMS.DisabledException", 400),
    ("KMS.KMSInvalidStateException", 400),
    ("KMS.NotFoundException", 400),
    ("KMS.SomethingNew", 400),
    ("InvalidRequest", 400),
    ("MethodNotAllowed", 405),
]
OF_OTHERS = [
    ("InternalError", 500),
    ("SlowDown", 503),
    ("KMS.ThrottlingException", 400),
    ("RequestTimeout", 400),
    ("ExpiredToken", 400),
    ("InvalidAccessKeyId", 403),
    ("RequestTimeTooSkewed", 403),
    ("PermanentRedirect", 301),
    ("NoSuchBucket", 404),
]


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        *((*each, ObjectUnreadable) for each in OF_OBJECT),
        *((*each, StorageFailed) for each in OF_OTHERS),
    ],
)
def test_an_object_that_can_not_be_read_is_told_from_a_bucket_that_fails(root, code, status, error):
    put(root, ["a.jpg"])
    [found] = listed(root).values()
    with Stubber(aws.client("s3")) as stub:
        stub.add_client_error("get_object", code, http_status_code=status)
        with pytest.raises(error):
            Landing(root).read(found)


def test_an_object_without_bytes_has_no_first_one_and_can_be_read(root):
    folder(root).write("empty.jpg", b"")
    [found] = listed(root).values()
    assert Landing(root).is_readable(found)
    with Stubber(aws.client("s3")) as stub:
        stub.add_client_error("get_object", "InvalidRange", http_status_code=416)
        assert Landing(root).is_readable(found)


@contextmanager
def restoring(**copies):
    """The listing tells of restored copies, by the end of their objects' keys; moto's doesn't. Yields the
    requests that list."""
    asked, events = [], aws.client("s3").meta.events

    def note(params, **_):
        asked.append(params["headers"].get("x-amz-optional-object-attributes"))

    def tell(parsed, **_):
        for found in parsed.get("Contents", []):
            name = found["Key"].rpartition("/")[2]
            if name in copies:
                found["RestoreStatus"] = copies[name]

    events.register("before-call.s3.ListObjectsV2", note)
    events.register("after-call.s3.ListObjectsV2", tell)
    yield asked
    events.unregister("before-call.s3.ListObjectsV2", note)
    events.unregister("after-call.s3.ListObjectsV2", tell)


UNDER_WAY = {"IsRestoreInProgress": True}
DONE = {"IsRestoreInProgress": False, "RestoreExpiryDate": datetime(2100, 1, 1, tzinfo=UTC)}


def test_archived_objects_are_known_from_the_listing_and_restored_ones_too(root):
    classes = ("GLACIER", "DEEP_ARCHIVE", "STANDARD", "GLACIER_IR", "INTELLIGENT_TIERING")
    place = folder(root)
    for name in classes:
        key = f"{place.prefix}/{name}"
        aws.client("s3").put_object(Bucket=place.bucket, Key=key, Body=b"x", StorageClass=name)
    with restoring() as asked:
        archived = {name for name, found in listed(root).items() if found.is_archived}
    assert archived == set(classes[:2])
    assert asked.count("RestoreStatus") >= 1
    with restoring(GLACIER=DONE, DEEP_ARCHIVE=UNDER_WAY, INTELLIGENT_TIERING=UNDER_WAY):
        archived = {name for name, found in listed(root).items() if found.is_archived}
    assert archived == {"DEEP_ARCHIVE", "INTELLIGENT_TIERING"}


def test_an_archived_object_is_a_row_without_a_request(root, s3):
    place, keys = folder(root), Pseudonyms(b"0123456789abcdef")
    key = f"{place.prefix}/a.jpg"
    aws.client("s3").put_object(Bucket=place.bucket, Key=key, Body=b"x", StorageClass="GLACIER")
    [found] = listed(root).values()
    arrived = arrival(found, position=0, pseudonyms=keys)
    admission = Admission.of(keys, tombstones=frozenset())
    with Stubber(aws.client("s3")):  # any request fails
        row = read_one(Landing(root), arrived, max_bytes=100, admission=admission)
    assert (row["reason"], row["etag"]) == ("archived", f"{UNREADABLE}{found.etag}")
    with pytest.raises(ObjectUnreadable, match="InvalidObjectState; restore it there"):
        Landing(root).read(found)


def test_one_within_the_other_is_seen_also_in_a_bucket():
    assert overlap("s3://b/lake/landing", "s3://b/lake")
    assert overlap("s3://b/x", "s3://b/x/lake/")
    assert not overlap("s3://b/lake-landing", "s3://b/lake")
    assert not overlap("s3://a/x", "s3://b/x")
    assert not overlap("landing", "s3://b/landing")


FROM_DAY = (
    *("2025/12/31/a.jpg", "2026/11/04/z.jpg", "2026/11/05/a.jpg", "2026/11/05/b.jpg", "2026/11/05"),
    *(
        "2026/11/05-b.jpg",
        "2026/11/06/a/b/c.jpg",
        "20261105.jpg",
        "+/x.jpg",
        "é/x.jpg",
        "Zoo/x.jpg",
    ),
    *("uploads/2026-11-04/x.jpg", "uploads/2026-11-05", "uploads/2026-11-05x/y.jpg", "zoo/x.jpg"),
)


@pytest.mark.parametrize("begin", ["2026/11/05/", "2026/11/05", "2026", "uploads/2026-11-05", "z"])
def test_a_listing_that_begins_somewhere_has_the_names_from_there_on(root, begin):
    put(root, FROM_DAY)
    found = [each.name for each in folder(root).listing(begin=begin)]
    assert sorted(found) == sorted(name for name in FROM_DAY if name.encode() >= begin.encode())


def test_a_listing_of_the_last_days_asks_for_no_earlier_names(root):
    put(root, [f"2026/{month:02}/{day:02}/x.jpg" for month in (9, 10, 11) for day in range(1, 29)])
    told, events = [], aws.client("s3").meta.events

    def note(parsed, **_):
        told.extend(each["Key"] for each in parsed.get("Contents", []))

    events.register("after-call.s3.ListObjectsV2", note)
    found = {each.name for each in folder(root).listing(begin="2026/11/27/")}
    events.unregister("after-call.s3.ListObjectsV2", note)
    assert found == {"2026/11/27/x.jpg", "2026/11/28/x.jpg"}
    assert len(told) == 2
