"""Objects that an inventory lists are those of a listing, and what is wrong with it is told."""

import gzip
import hashlib
import json
from datetime import UTC, datetime

import pytest

from bronze.discovery import listings
from bronze.landing import Landing, ListingCounts
from conf.errors import BadInput, BadSettings
from conf.settings import Settings
from lake import aws, catalog
from lake.storage.folder import ObjectGone
from lake.storage.locate import folder
from tests.support import inventories
from tests.support.looking_runs import BEGIN, LookingRuns
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

NAMES = (
    *("a.jpg", "kiwi/two words+1.jpg", "é ü#?.jpg", "a%20b+c.jpg", "subject=zoë/2026/x.jpg"),
    *('quo"te,comma.jpg', "glacier.jpg", "100%.jpg"),
)


@pytest.fixture
def root(s3):
    """A landing folder with objects, one of them archived, and others beside it."""
    root = f"s3://{s3.bucket('landing')}/app/photos"
    place = folder(root)
    for name in NAMES:
        kind = "GLACIER" if name == "glacier.jpg" else "STANDARD"
        key = f"{place.prefix}/{name}"
        aws.client("s3").put_object(
            Bucket=place.bucket, Key=key, Body=name.encode(), StorageClass=kind
        )
    folder(f"{root}-of-others").write("x.jpg", b"other")
    aws.client("s3").put_object(Bucket=place.bucket, Key="app/photos/kiwi/", Body=b"")
    return root


@pytest.fixture
def address(s3):
    return f"s3://{s3.bucket('inventory')}/lists/landing/all"


@pytest.fixture
def runs(root, address, tmp_path):
    with small_lake(tmp_path / "lake") as lake:
        write(lake.files.root, catalog.OBJECTS, [{"object": "known", "etag": "e"}])
        yield LookingRuns(lake, root, [f"landing.inventory={address}"])


def rows(root, *, versions=False):
    """What an inventory has of the whole bucket."""
    bucket = folder(root).bucket
    found = [
        {
            "Bucket": bucket,
            "Key": each["Key"],
            "Size": each["Size"],
            "LastModifiedDate": each["LastModified"],
            "ETag": each["ETag"].strip('"'),
            "StorageClass": each["StorageClass"],
            **({"VersionId": "v2", "IsLatest": True, "IsDeleteMarker": False} if versions else {}),
        }
        for each in aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    ]
    if versions:
        earlier = {"VersionId": "v1", "IsLatest": False, "IsDeleteMarker": False}
        [photo] = [each for each in found if each["Key"] == "app/photos/a.jpg"]
        found += [{**photo, **earlier, "ETag": "earlier"}]
        marker = {"VersionId": "v3", "IsLatest": True, "IsDeleteMarker": True}
        of = {"Bucket": bucket, "LastModifiedDate": BEGIN}
        found += [{**of, **marker, "Key": "app/photos/deleted.jpg"}]
        found += [{**found[-1], "IsLatest": False, "Key": "app/photos/deleted-before.jpg"}]
    return [*found, {**found[0], "Bucket": "another", "Key": "app/photos/another.jpg"}]


def objects(runs, day=0):
    """What a run looks at, as objects."""
    found = []
    runs.look(day, taking=lambda listing: found.extend(listing.objects(ListingCounts())))
    return sorted(found, key=lambda each: each.path)


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
@pytest.mark.parametrize("versions", [False, True])
def test_an_inventory_tells_of_objects_what_a_listing_tells(runs, root, address, form, versions):
    bucket = folder(root).bucket
    inventories.write(
        address, rows(root, versions=versions), form=form, source=bucket, versions=versions
    )
    listed = sorted(Landing(root).objects(), key=lambda each: each.path)
    assert objects(runs) == listed
    assert [each.path for each in listed] == sorted(NAMES)
    assert [each.path for each in listed if each.is_archived] == ["glacier.jpg"]
    assert runs.whole == [False]
    for each in listed:
        if not each.is_archived:
            assert Landing(root).read(each) == each.path.encode()


def test_what_changed_since_is_met_when_it_is_read(runs, root, address):
    inventories.write(address, rows(root), form="CSV", source=folder(root).bucket)
    folder(root).write("a.jpg", b"changed")
    [found] = [each for each in objects(runs) if each.path == "a.jpg"]
    with pytest.raises(ObjectGone):
        Landing(root).read(found)


def test_after_the_first_run_all_is_listed_and_an_inventory_is_read_once(runs, root, address):
    inventories.write(address, rows(root), form="CSV", source=folder(root).bucket)
    today = (datetime.now(UTC) - BEGIN).total_seconds() / 86_400
    assert runs.look(today + 1) == set(NAMES)
    folder(root).write("since.jpg", b"x")
    assert "since.jpg" in runs.look(today + 2)
    assert runs.whole == [True]
    runs.look(today + 3)
    assert runs.whole == []
    runs.look(today + 10)
    assert runs.whole == [True]


def test_a_later_inventory_is_read(runs, root, address):
    bucket = folder(root).bucket
    inventories.write(address, rows(root), form="CSV", source=bucket)
    today = (datetime.now(UTC) - BEGIN).total_seconds() / 86_400
    runs.look(today - 2)
    runs.look(today - 1)
    folder(root).write("newer.jpg", b"x")
    inventories.write(address, rows(root), form="CSV", source=bucket, at="2026-11-29T01-00Z")
    assert "newer.jpg" in runs.look(today)
    assert runs.whole == [False]


def test_a_first_run_that_was_killed_reads_the_inventory_again(runs, root, address):
    inventories.write(address, rows(root), form="CSV", source=folder(root).bucket)
    runs.look(0, status="")
    assert runs.look(1) == set(NAMES)
    assert runs.whole == [False]


def test_the_newest_inventory_that_is_complete_counts(runs, root, address):
    bucket, place = folder(root).bucket, folder(address)
    found = rows(root)
    inventories.write(address, found[:1], form="CSV", source=bucket, at="2026-11-26T01-00Z")
    inventories.write(address, found, form="ORC", source=bucket, at="2026-11-27T01-00Z")
    inventories.write(address, found[:1], form="CSV", source=bucket, at="2026-11-28T01-00Z")
    place.delete("2026-11-28T01-00Z/manifest.checksum")
    place.write("hive/dt=2026-11-29-01-00/symlink.txt", b"x")
    assert runs.look(0) == set(NAMES)


def refusal(runs):
    with pytest.raises(BadInput) as told:
        runs.look(0)
    assert told.value.exit_code == 2
    return str(told.value)


def test_an_inventory_without_a_manifest_is_told(runs, address):
    assert refusal(runs) == (
        f"There is no inventory below {address} (…/YYYY-MM-DDTHH-MMZ/manifest.json with its "
        f"manifest.checksum); S3 writes the first one within two days. Wait for it, or correct "
        f"landing.inventory."
    )


def test_a_manifest_that_is_damaged_or_of_something_else_is_told(runs, root, address):
    bucket, place = folder(root).bucket, folder(address)
    name = inventories.write(address, rows(root), form="CSV", source="other")
    assert "is an inventory of the bucket other, and the landing folder is" in refusal(runs)
    inventories.write(address, rows(root), form="Avro", source=bucket)
    assert "of files in the form Avro; let S3 Inventory write CSV or ORC or" in refusal(runs)
    place.write(name, place.read(name) + b" ")
    assert "manifest.json isn't what its manifest.checksum says" in refusal(runs)


def manifested(address, text):
    """A manifest of a text, with its checksum."""
    digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
    folder(address).write("2026-11-28T01-00Z/manifest.json", text)
    folder(address).write("2026-11-28T01-00Z/manifest.checksum", f"{digest}\n".encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"{", b'{"fileFormat": "CSV"}'])
def test_a_manifest_that_can_not_be_understood_is_told(runs, address, text):
    manifested(address, text)
    assert "isn't a manifest of S3 Inventory; correct landing.inventory." in refusal(runs)


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
def test_columns_that_are_missing_are_named(runs, root, address, form):
    bucket = folder(root).bucket
    inventories.write(address, rows(root), form=form, source=bucket, fields=["Size"])
    assert "lacks LastModifiedDate, ETag: let its configuration have the fields" in refusal(runs)


@pytest.mark.parametrize("form", ["CSV", "Parquet", "ORC"])
@pytest.mark.parametrize("damage", ["empty", "text", "cut", "as long"])
def test_a_file_that_is_damaged_is_told_without_a_name_in_it(runs, root, address, form, damage):
    inventories.write(address, rows(root), form=form, source=folder(root).bucket, per_file=100)
    [name] = [each.name for each in folder(address).listing() if each.name.startswith("data/")]
    content = folder(address).read(name)
    folder(address).write(
        name,
        {
            "empty": b"",
            "text": b"x" * 99,
            "cut": content[: len(content) // 2],
            "as long": content[:9] + bytes(len(content) - 9),
        }[damage],
    )
    told = refusal(runs)
    assert f"{folder(address).uri(name)} can't be read as {form} of an inventory (" in told
    assert "zoë" not in told


def test_a_torn_row_is_told(runs, root, address):
    inventories.write(address, rows(root), form="CSV", source=folder(root).bucket, per_file=100)
    [name] = [each.name for each in folder(address).listing() if each.name.startswith("data/")]
    torn = gzip.compress(b'"b","app/photos/x.jpg"\n')
    folder(address).write(name, torn)
    [manifest] = [each.name for each in folder(address).listing() if "manifest.json" in each.name]
    told = json.loads(folder(address).read(manifest))
    told["files"][0]["size"] = len(torn)
    manifested(address, json.dumps(told).encode())
    assert "can't be read as CSV of an inventory (ValueError)" in refusal(runs)


def test_a_file_that_is_gone_is_told(runs, root, address):
    inventories.write(address, rows(root), form="CSV", source=folder(root).bucket, per_file=100)
    [name] = [each.name for each in folder(address).listing() if each.name.startswith("data/")]
    folder(address).delete(name)
    assert f"{folder(address).uri(name)} is gone, which {folder(address).root}" in refusal(runs)


def checked(*overrides):
    listings.check(Settings.load("local", environment={}, overrides=overrides))


def test_settings_that_contradict_one_another_are_refused():
    checked("landing.inventory=s3://i/x", "paths.landing=s3://b/x")
    with pytest.raises(
        BadInput, match=r"^landing.inventory tells of objects in S3, and the landing"
    ):
        checked("landing.inventory=s3://i/x")
    with pytest.raises(
        BadInput, match=r"s3://b/x/lists and the landing folder s3://b/x lie in one another"
    ):
        checked("landing.inventory=s3://b/x/lists", "paths.landing=s3://b/x")
    with pytest.raises(BadInput, match=r"s3://b and the landing folder s3://b/x lie in one"):
        checked("landing.inventory=s3://b", "paths.landing=s3://b/x")
    with pytest.raises(
        BadSettings, match="give an address such as s3://bucket/prefix, or an empty"
    ):
        checked("landing.inventory=lists")
