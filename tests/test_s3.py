"""Landing folder and lake in S3: every layer by S3A, boto3 and delta-rs, against a server on loopback."""

import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import count

import numpy as np
import pytest

import run
from cli.commands.erase import verify
from conf.errors import BadInput, LeftBehind
from conf.settings import Settings
from gold import model_reader
from lake import aws, catalog, fault_points, lease, secret_places
from lake.delta_log import TAKEOVER
from lake.enums import ERASE, ErasureMode
from lake.lease import Holder
from lake.storage.folder import StoredKind
from lake.storage.locate import folder
from page.similar_photos import Embeddings
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion, HoldingStatus
from privacy.erasure import unreferenced_files
from privacy.erasure.erase import erase
from report import html_report
from report.lake_counts import sums
from report.report_facts import ReportFacts
from tests.support.canary import MARKER, OTHER, SUBJECT, jpeg, places, slices
from tests.support.kills import Killed, dies
from tests.support.place import Place

KINDS = ("Granny-Smith", "Kiwi", "Pineapple")
STRANGE = ("a:b.jpg", "[1].jpg", "{a,b}.jpg", "_x.jpg", "~y.jpg", "é ü#?.jpg", "a%20b+c.jpg")
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def at(s3, spark, tmp_path, monkeypatch):
    """Makes a landing folder and a lake in buckets of their own."""

    def make(*overrides, versioned=False, key=KEY):
        monkeypatch.setenv("SUBJECT_KEY", key)
        names = [s3.bucket(name, versioned=versioned) for name in ("landing", "lake")]
        roots = [f"paths.landing=s3://{names[0]}/app/photos", f"paths.lake=s3://{names[1]}/lake"]
        own = [*roots, "subjects.key=env:SUBJECT_KEY", *overrides]
        return Place(tmp_path, spark, Settings.load("local", environment={}, overrides=own))

    return make


def landing(place):
    """What lies in the landing folder."""
    return folder(place.settings.paths.landing)


def send(place, photos, *, under):
    """Photos by name, into a folder of the landing folder."""
    for name, content in photos.items():
        landing(place).write(f"{under}/{name}", content)


def embeddings(lake):
    """By photo."""
    rows = lake.records(catalog.EMBEDDINGS, columns=["photo_id", "embedding"])
    return {row["photo_id"]: np.array(row["embedding"]) for row in rows}


def agree(place):
    """The sums, and nothing is left open."""
    held = sums(place.files)
    assert held.disagreements() == held.open_ends == []


def mirror(place, target):
    """Every version of everything in both buckets, as files."""
    for root in (place.settings.paths.landing, place.settings.paths.lake):
        for number, each in enumerate(folder(root).stored()):
            path = target / root.partition("://")[2] / f"{each.name}.{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(each) if each.has_content else b"")
    return target


def content(stored):
    """The bytes of what is stored."""
    with stored.open() as file:
        return file.read()


def test_two_days_in_s3_are_as_on_a_disk(at, samples_lake, real_photos):
    """Every layer, the next day, time travel, old files, readers without Spark, an audit."""
    place = at(key=(samples_lake.root / "lake.key").read_text())
    samples = [path for path in samples_lake.landing.rglob("*") if path.is_file()]
    for path in samples:
        name = path.relative_to(samples_lake.landing).as_posix()
        landing(place).write(name, path.read_bytes())
    first = place.run()
    assert first["bronze"].counts["in"] == len(samples)
    agree(place)
    here, there = embeddings(place.lake), embeddings(samples_lake.lake)
    assert here.keys() == there.keys()
    assert all(np.allclose(here[photo], there[photo], atol=1e-5) for photo in there)
    before = {table: place.lake.version(table) for table in (catalog.EMBEDDINGS, catalog.FEATURES)}

    nothing = place.run()
    assert nothing["bronze"].counts == {}
    assert {table: place.lake.version(table) for table in before} == before

    real = {
        f"{kind}/{p.name}": p.read_bytes()
        for kind in KINDS
        for p in sorted((real_photos / kind).iterdir())[:8]
    }
    send(place, real, under="shop")
    send(place, {name: jpeg(n) for n, name in enumerate(STRANGE)}, under="subject=zoe/2026/11/25")
    landing(place).write(samples[0].relative_to(samples_lake.landing).as_posix(), jpeg(99))
    landing(place).delete(samples[1].relative_to(samples_lake.landing).as_posix())
    aws.client("s3").put_object(Bucket=landing(place).bucket, Key="app/photos/shop/", Body=b"")
    second = place.run()
    new = len(real) + len(STRANGE) + 1
    assert (second["bronze"].counts["in"], second["bronze"].counts["kept"]) == (new, new)
    agree(place)
    later = embeddings(place.lake)
    assert len(later) == len(here) + new

    for table, version in before.items():
        rows = place.lake.version_source(table, version).frame()
        assert {row["photo_id"] for row in rows.select("photo_id").collect()} == here.keys()
    root = place.settings.paths.lake
    version = model_reader.pca(root)
    assert version.project(np.stack(list(later.values()), dtype=np.float32)).shape[0] == len(later)
    own = secret_places.load(place.settings.subjects.key, lake=root, make=False)
    answer = Auditor(place.files, own).answer(AuditQuestion(subject="zoe"))
    found = {finding.table: finding for finding in answer.findings}
    assert found[catalog.PHOTOS.name].status is HoldingStatus.HELD
    assert found[catalog.PHOTOS.name].rows == len(STRANGE)
    assert (answer.storage["region"], answer.storage["encryption"]) == ("eu-west-3", "aws:kms")

    facts = ReportFacts.of(place.files, place.settings, with_pictures=True)
    assert f'data-sum="photos">{facts.sums.photos:,}<' in html_report.html(facts)
    nearest = Embeddings(root, version.weights_id, version=place.lake.version(catalog.EMBEDDINGS))
    photo, vector = next(iter(later.items()))
    assert nearest.nearest(vector.astype(np.float32), count=1)[0].photo_id == photo

    with place.writing() as context:
        unneeded = context.lake.unneeded_files(catalog.MOMENTS, hours=0)
        assert unneeded
        assert unreferenced_files.remove_unneeded(context.lake, catalog.MOMENTS, unneeded) == []
        assert not unneeded & place.files.current(catalog.MOMENTS.name).keys()
    with pytest.raises(BadInput, match="files of it were removed"):
        place.lake.version_source(catalog.MOMENTS, 1)
    agree(place)


def test_a_bucket_that_throttles_and_falls_silent_costs_time_alone(at, s3):
    place = at()
    photos = {f"{n}.jpg": jpeg(n) for n in range(12)}
    send(place, photos, under="kiwi")
    chance = random.Random(1)
    # By number, as a chance would come less often in a run that asks for less.
    silences = [("GET", 40), ("PUT", 40), ("HEAD", 40), ("GET", 120)]
    numbers = {method: count(1) for method, _ in silences}

    def trouble(method, path):
        request = (method, next(numbers[method]) if method in numbers else 0)
        if request in silences:
            silences.remove(request)
            return "silence"
        return "503" if chance.random() < 0.02 else None

    s3.trouble = trouble
    place.run()
    s3.trouble = None
    assert s3.troubled > 20
    assert silences == []
    assert len(embeddings(place.lake)) == len(photos)
    assert place.lake.source(catalog.FEATURES).count() == len(photos)
    agree(place)


def test_one_that_is_out_of_reach_ends_the_run_in_a_sentence_and_the_next_goes_on(
    at, s3, command, monkeypatch
):
    place = at()
    send(place, {f"{n}.jpg": jpeg(n) for n in range(6)}, under="kiwi")
    monkeypatch.setattr(aws, "ATTEMPTS", 2)
    aws.client.cache_clear()
    paths = place.settings.paths
    words = ["--layer", "all", "--landing", paths.landing, "--lake", paths.lake]
    words += ["--set", "subjects.key=env:SUBJECT_KEY"]

    def breaks(point):
        if point == "silver: staged":
            s3.trouble = lambda method, path: "503"

    with fault_points.armed(breaks):
        code, _, told = command(*words)
    assert code == 1
    assert told.startswith("error: ")
    assert "Slow Down" in told or "SlowDown" in told
    assert "again" in told or "goes on from there" in told
    assert told.count("\n") == 1
    s3.trouble = None
    place.bury()
    assert command(*words)[0] == 0
    assert len(embeddings(place.lake)) == 6
    agree(place)


def test_a_silent_writer_is_taken_over_and_fenced(at):
    """As another machine's that died while silver was staged."""
    place = at()
    send(place, {f"{n}.jpg": jpeg(n) for n in range(6)}, under="kiwi")
    with dies("silver: staged"), pytest.raises(Killed):
        place.run()
    held = Holder.read(place.files.read(lease.NAME))
    silent = replace(held, machine="another", renewed=held.renewed - 3600, seconds=1.0)
    assert place.files.swap(lease.NAME, silent.content(), expected=held.content())
    place.run()
    assert place.lake.log(catalog.EMBEDDINGS).number() > TAKEOVER
    assert len(embeddings(place.lake)) == 6
    assert not place.files.exists(lease.NAME)
    agree(place)


def test_an_erasure_leaves_no_version_of_a_person(at, tmp_path):
    """In buckets that keep versions: what was overwritten or deleted, marks of it, unfinished uploads."""
    place = at(versioned=True)
    photos = {f"{MARKER}-{n}.jpg": jpeg(n) for n in range(4)}
    own = f"subject={SUBJECT}/2026/11"
    send(place, photos, under=own)
    send(place, {"theirs.jpg": jpeg(50, marker="theirs")}, under=f"subject={OTHER}/2026/11")
    send(
        place,
        {"copy.jpg": photos[f"{MARKER}-0.jpg"], "else.jpg": jpeg(51, marker="else")},
        under="kiwi",
    )
    place.run()
    send(place, {"overwritten.jpg": photos[f"{MARKER}-1.jpg"]}, under="kiwi")
    send(place, {"overwritten.jpg": jpeg(52, marker="other")}, under="kiwi")
    send(place, {f"{MARKER}-deleted.jpg": jpeg(5)}, under=own)
    landing(place).delete(f"{own}/{MARKER}-deleted.jpg")
    upload = {"Bucket": landing(place).bucket, "Key": f"app/photos/{own}/{MARKER}-never.jpg"}
    aws.client("s3").create_multipart_upload(**upload)
    place.run()
    others = embeddings(place.lake).keys() - embeddings_of(place, SUBJECT)
    needles = [MARKER.encode()]
    needles += [piece for photo in [*photos.values(), jpeg(5)] for piece in slices(photo)]
    assert {needle for _, needle in places(needles, mirror(place, tmp_path / "before"))} == set(
        needles
    )

    with place.writing() as context:
        step = context.step(ERASE)
        erasure = erase(step, subject=SUBJECT, request="R-1", mode=ErasureMode.IMMEDIATE)
    assert erasure.certificate
    assert places(needles, mirror(place, tmp_path / "after")) == []
    kinds = Counter(each.kind for each in place.files.stored())
    assert (
        set(kinds) == {StoredKind.FILE} or kinds.total() - kinds[StoredKind.FILE] < 20
    )  # what came after the search
    agree(place)
    left = {each.name for each in landing(place).stored() if each.kind is StoredKind.FILE}
    assert left == {f"subject={OTHER}/2026/11/theirs.jpg", "kiwi/else.jpg", "kiwi/overwritten.jpg"}
    assert embeddings(place.lake).keys() == others - erasure.photo_ids

    again = partial(verify, place.lake, place.settings, place.console, "R-1", deep=True)
    again()
    send(place, {"again.jpg": jpeg(5)}, under=own)
    landing(place).delete(f"{own}/again.jpg")
    with pytest.raises(
        LeftBehind, match=r"again\.jpg \(noncurrent version\).*again\.jpg \(delete marker\)"
    ):
        again()


def embeddings_of(place, subject):
    """The photos of a subject that are embedded."""
    pseudonym = secret_places.load(place.settings.subjects.key, lake="", make=False).subject(
        subject
    )
    rows = place.lake.read(catalog.EMBEDDINGS).where(f"subject = '{pseudonym}'").collect()
    return {row["photo_id"] for row in rows}


@pytest.mark.process
def test_the_command_line_needs_nothing_but_the_addresses(at, tmp_path):
    """In a process of its own: jars, endpoint, region and credentials are found as boto3 finds them."""
    place = at()
    paths = place.settings.paths
    words = [
        "--landing",
        paths.landing,
        "--lake",
        paths.lake,
        "--set",
        "subjects.key=env:SUBJECT_KEY",
    ]

    def called(*more):
        command = [sys.executable, run.__file__, *more, *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    made = called("--layer", "all", "--samples", "8")
    assert made.returncode == 0, made.stderr
    assert f"Data Docs: {paths.lake}/docs/index.html" in made.stdout
    assert made.stderr == ""
    assert len(embeddings(place.lake)) >= 5
    agree(place)
    assert os.listdir(tmp_path) == ["spark-warehouse"]
