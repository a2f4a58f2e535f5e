"""Erasure: the canary leaves every place, everybody else stays, and a certificate says so, once."""

import hashlib
import json
import os
import shutil
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.commands.erase import finish_due_erasures, verify
from cli.commands.train import train_step
from cli.parser import parse
from cli.step_runner import run_steps
from conf.errors import BadInput, LeftBehind, Pending
from gold import model_reader, model_versions, pca
from gold.moments import Moments
from gold.retire_extractor import retire
from lake import catalog, fault_points, secret_places
from lake.enums import ERASE, POSSIBLY_FITTED_PREFIX, ErasureState
from lake.known_keys import keys_of
from lake.samples.sample_photos import write_samples
from privacy import tombstones
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion, HoldingStatus
from privacy.erasure import unreferenced_files
from privacy.erasure.erasure_request import ErasureRequest
from report.lake_counts import sums
from tests.support.canary import MARKER, OTHER, SUBJECT, jpeg, places, send, slices, written
from tests.support.erasures import REQUEST, erased, requests_of
from tests.support.gold_runs import no_embedding_waits
from tests.support.kills import Killed, dies
from tests.support.place import Place
from tests.support.processes import undeletable

PHOTOS = {f"{MARKER}-{n}.jpg": jpeg(n) for n in range(7)}
OVERRIDES = ("refit.growth=9", "training.folds=2")
SHARED = PHOTOS[f"{MARKER}-0.jpg"]
TABLES_OF_PHOTOS = (
    catalog.OBJECTS,
    catalog.PHOTOS,
    catalog.EMBEDDINGS,
    catalog.FEATURES,
    catalog.HELD_OUT,
)
THEIRS = f"landing/subject={OTHER}/2026/11/theirs.jpg"
"""What somebody else sent, with the canary's marker in it: it is theirs, and stays."""


@pytest.fixture(scope="module")
def held(tmp_path_factory, spark):
    """A lake of samples and of the canary: its photos, one of them twice, a broken one, one also sent by
    somebody else and one without a subject. The lake was compacted and written by two runs, and has
    classifiers."""
    root = tmp_path_factory.mktemp("held") / "place"
    write_samples(root / "landing", 24)
    place = Place.of(root, spark, *OVERRIDES)
    send(place.landing, dict(list(PHOTOS.items())[:4]))
    place.run()
    send(place.landing, PHOTOS | {f"{MARKER}-again.jpg": SHARED, f"{MARKER}-broken.jpg": b"x"})
    send(place.landing, {"theirs.jpg": SHARED}, subject=OTHER)
    send(place.landing, {"nobody.jpg": PHOTOS[f"{MARKER}-1.jpg"]}, subject=None)
    with no_embedding_waits():
        place.run()
    with place.writing() as context:
        run_steps(context, [("train", train_step)])
    place.index_keys()
    return place


def needles(place, *, photo_ids):
    """What may stand nowhere: the marker, the pseudonym, the photos' bytes, and their ids."""
    with place.writing() as context:
        keys = context.pseudonyms
    raw = [MARKER.encode(), keys.subject(SUBJECT).encode()]
    raw += written(MARKER)
    raw += [piece for name, photo in PHOTOS.items() if photo != SHARED for piece in slices(photo)]
    return raw, [photo.encode() for photo in photo_ids]


def rows_of_others(place, photo_ids):
    """Every row of every table of photos that is not the canary's, by table, as text."""
    lake = place.lake
    found = {}
    for table in (
        catalog.OBJECTS,
        catalog.PHOTOS,
        catalog.REJECTED,
        catalog.EMBEDDINGS,
        catalog.QUARANTINE,
    ):
        rows = lake.records(table)
        own = place.pseudonym
        found[table.name] = sorted(
            repr(row)
            for row in rows
            if row["subject"] != own and row.get("photo_id") not in photo_ids
        )
    return found


def ids(place):
    """The canary's photos, and their copy without a subject."""
    with place.writing() as context:
        place.pseudonym = context.pseudonyms.subject(SUBJECT)
    rows = place.lake.records(catalog.PHOTOS, columns=["photo_id", "subject", "original"])
    own = [row for row in rows if row["subject"] == place.pseudonym]
    originals = {row["original"] for row in own}
    copies = [r for r in rows if r["subject"] is None and r["original"] in originals]
    assert len(own) == len(PHOTOS)
    assert len(copies) == 1
    return {row["photo_id"] for row in [*own, *copies]}


class ErasedLake(Place):
    """A lake that the canary left: its pseudonym and photos; the rows of others `before`; what may stand
    nowhere (`wanted`, and the ids `wanted_ids`); and the request."""

    pseudonym: str
    photo_ids: set[str]
    before: dict[str, list[str]]
    wanted: list[bytes]
    wanted_ids: list[bytes]
    erasure: ErasureRequest


@pytest.fixture(scope="module")
def done(held, tmp_path_factory, spark):
    """The lake after the canary was erased at once, and what was seen before."""
    root = tmp_path_factory.mktemp("done") / "place"
    shutil.copytree(held.root, root)
    place = ErasedLake.of(root, spark, *OVERRIDES)
    place.photo_ids = ids(place)
    place.before = rows_of_others(place, place.photo_ids)
    place.wanted, place.wanted_ids = needles(place, photo_ids=place.photo_ids)
    assert {needle for _, needle in places(place.wanted, place.root)} >= set(place.wanted[:2])
    place.erasure = erased(place)
    return place


def certificates(place):
    files = place.files.names("privacy/certificates", suffix=".json")
    return {name: place.files.read_json(f"privacy/certificates/{name}") for name in files}


def test_the_canary_is_gone_from_every_byte(done):
    assert done.erasure.state is ErasureState.CERTIFIED
    assert done.erasure.photo_ids == done.photo_ids
    assert {path for path, _ in places(done.wanted, done.root)} <= {THEIRS}
    where = {path.rsplit("/", 1)[0] for path, _ in places(done.wanted_ids, done.root)}
    assert where <= {"lake/privacy/erasures"}


def test_everybody_else_is_as_before_and_the_sums_agree(done):
    assert rows_of_others(done, done.photo_ids) == done.before
    held = sums(done.files)
    assert held.disagreements() == held.open_ends == []


def test_the_audit_says_erased_and_by_which_certificate(done):
    own = secret_places.load(done.settings.subjects.key, lake=done.files.root, make=False)
    for question in (
        AuditQuestion(subject=SUBJECT),
        AuditQuestion(photo=sorted(done.photo_ids)[0]),
    ):
        answer = Auditor(done.files, own).answer(question)
        found = {finding.table: finding for finding in answer.findings}
        for table in TABLES_OF_PHOTOS:
            assert found[table.name].status is HoldingStatus.ERASED, table.name
            assert done.erasure.certificate in found[table.name].note


def test_an_audit_of_a_version_before_can_not_tell_any_more(done, held):
    own = secret_places.load(done.settings.subjects.key, lake=done.files.root, make=False)
    for place, status in ((held, HoldingStatus.HELD), (done, HoldingStatus.OUT_OF_RETENTION)):
        question = AuditQuestion(subject=SUBJECT, table=catalog.PHOTOS, version=1)
        [found] = Auditor(place.files, own).answer(question).findings
        assert found.status is status


def test_the_certificate_tells_what_was_done_and_not_whose(done):
    [(name, told)] = certificates(done).items()
    assert name == f"{done.erasure.certificate}.json"
    assert (told["result"], told["mode"], told["due"]) == ("erased", "immediate", None)
    assert told["photos"] == told["counts"]["bronze/photos"] == len(done.photo_ids)
    assert told["counts"]["bronze/rejected"] == 1
    assert told["counts"]["landing"] == len(PHOTOS) + 3
    assert {store["store"] for store in told["stores"]} >= {"landing", "lake", "docs"}
    assert told["verification"]["residues"] == 0
    assert told["verification"]["files"] > 50
    assert told["versions_before"]["bronze/photos"] < told["versions_after"]["bronze/photos"]
    assert (told["sequence"], told["previous_sha256"]) == (1, None)
    assert SUBJECT not in json.dumps(told)
    assert done.pseudonym not in json.dumps(told)
    assert done.erasure.subject not in json.dumps(told)


def test_the_pca_is_the_one_that_never_saw_them(done):
    lake = done.lake
    rows = lake.read(catalog.MODELS).where("kind = 'pca'").orderBy("created_at").collect()
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("retired", "first"),
        ("champion", "erasure"),
    ]
    x = np.array([row["embedding"] for row in lake.records(catalog.EMBEDDINGS)])
    kept = model_versions.PcaVersion.read(rows[1].asDict()).pca
    anew = pca.fit(Moments.of(x, x.mean(axis=0).astype(np.float64)), components=20)
    assert kept.variance == pytest.approx(anew.variance, rel=1e-9)
    assert np.abs(kept.variances - anew.variances).max() <= 1e-9 * anew.variance
    clear = anew.variances > 1e-6 * anew.variance
    centred = x - x.mean(axis=0)
    off = np.abs(centred @ kept.basis[:, clear]) - np.abs(centred @ anew.basis[:, clear])
    assert (off**2).max() <= 1e-9 * anew.variance


def measured(place):
    """The observed values of ops/quality by chunk, and the chunks of ops/drift."""
    observed = {}
    for row in place.lake.records(catalog.QUALITY):
        observed.setdefault(row["chunk"], []).append(row["observed"])
    return observed, {row["chunk"] for row in place.lake.records(catalog.DRIFT)}


def test_what_was_measured_over_chunks_that_held_them_is_gone(done, held):
    """All chunks that the first two runs made held a photo of theirs; the verdicts on them stay."""
    before, drifts = measured(held)
    after, still = measured(done)
    assert any(value is not None for values in before.values() for value in values)
    assert drifts
    assert {chunk: len(after[chunk]) for chunk in before} == {c: len(v) for c, v in before.items()}
    assert {value for chunk in before for value in after[chunk]} == {None}
    assert still.isdisjoint(drifts)
    runs = {row["run_id"] for row in held.lake.records(catalog.DRIFT)}
    kept = [row for row in done.lake.records(catalog.RUNS) if row["run_id"] in runs]
    assert kept
    for row in kept:
        assert not [name for name, _ in row["metrics"] if name.startswith("drift_")]
        assert "photos_in" in dict(row["metrics"])


def test_the_moments_are_about_the_mean_of_those_who_stay(done):
    """Their shift was the mean of the first chunk's embeddings, of which some left."""
    [row] = done.lake.records(catalog.MOMENTS)
    x = np.array([each["embedding"] for each in done.lake.records(catalog.EMBEDDINGS)])
    held = Moments.read(row)
    assert held.n == len(x)
    np.testing.assert_array_equal(held.shift, held.shift.astype(np.float32))
    np.testing.assert_allclose(held.shift, x.mean(axis=0), rtol=1e-6, atol=1e-6)


def test_versions_of_a_model_that_was_retired_before_are_wiped_too(held, tmp_path, spark):
    """Nothing of silver and gold tells any more which versions saw the photos: the chunks' lineage does."""
    shutil.copytree(held.root, tmp_path, dirs_exist_ok=True)
    place = Place.of(tmp_path, spark, *OVERRIDES)
    with place.writing() as context:
        retire(context.lake, "efficientnet_lite0")
    before = fitted_versions(place)
    assert any(before.values())
    erasure = erased(place)
    after = fitted_versions(place)
    assert after == {version: [] for version in before}
    counts = [name for name in erasure.counts if name.startswith(POSSIBLY_FITTED_PREFIX)]
    assert sorted(counts) == [f"{POSSIBLY_FITTED_PREFIX}{version}" for version in before]
    [told] = certificates(place).values()
    assert set(counts) <= set(told["counts"])


def fitted_versions(place):
    """The columns that hold something of the photos, by the version of a PCA or a classifier."""
    return {
        row["version"]: [name for name in model_versions.WIPED if row[name] is not None]
        for row in sorted(place.lake.records(catalog.MODELS), key=lambda row: row["version"])
        if row["kind"] != "extractor"
    }


def test_a_version_fitted_on_them_is_empty_and_no_way_leads_back(done):
    row = done.lake.read(catalog.MODELS).where("reason = 'first'").first()
    assert all(row[name] is None for name in model_versions.WIPED)
    with done.writing() as context, pytest.raises(BadInput, match="were removed, because"):
        model_versions.version(context.lake.records(catalog.MODELS), row["version"])
    strays = [p for t in catalog.TABLES for p in unreferenced_files.strays(done.lake, t)]
    named = {path.parent.name for path in strays}
    assert named <= {"erasures", "models", "tombstones", "runs", "chunks"}


def test_classifiers_fitted_on_them_are_empty_and_others_follow(done):
    rows = done.lake.read(catalog.MODELS).where("kind = 'classifier'").collect()
    old, new = ([r for r in rows if r["reason"] == why] for why in ("request", "erasure"))
    assert len(old) == len(new) == 4
    assert all(row[name] is None for row in old for name in model_versions.WIPED)
    assert {row["status"] for row in old} == {"retired"}
    [champion] = [row for row in new if row["status"] == "champion"]
    assert model_reader.classifier(done.files.root).version == champion["version"]
    held_out = done.lake.records(catalog.HELD_OUT, columns=["photo_id", "model_version"])
    assert {row["model_version"] for row in held_out} == {row["version"] for row in rows}
    assert not {row["photo_id"] for row in held_out} & done.photo_ids


def test_nothing_of_the_index_of_keys_is_left(done, held):
    """It has hashes of the ids of photos, also in its old files."""
    theirs = set(keys_of(done.photo_ids).to_pylist())
    assert theirs <= {row["key"] for row in held.lake.records(catalog.KNOWN_KEYS)}
    assert done.lake.records(catalog.KNOWN_KEYS) == []
    assert not any(
        theirs.intersection(pq.read_table(path)["key"].to_pylist())
        for path in done.root.glob("lake/bronze/known_keys/*.parquet")
    )


@pytest.mark.parametrize("deep", [False, True])
def test_it_can_be_verified_later(done, deep):
    for name in (REQUEST, done.erasure.certificate, done.erasure.certificate[:6]):
        verify(done.lake, done.settings, done.console, name, deep=deep)
    assert "nothing of it was found" in done.screen
    with pytest.raises(BadInput, match="There is no erasure request-9; did you mean request-1"):
        verify(done.lake, done.settings, done.console, "request-9", deep=deep)


def planted(done, columns, place="lake/bronze/photos/part-planted.parquet"):
    path = done.root / place
    pq.write_table(pa.table(columns), path)
    return path


def residue(done, case):
    """Files that should not be there, each of them found by another look."""
    photo = sorted(done.photo_ids)[0]
    raw = {"log": "lake/bronze/photos/_delta_log/x.json", "docs": "lake/docs/x.html"}
    if case in raw:
        path = done.root / raw[case]
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"… {done.pseudonym} …")
    elif case == "landing":
        send(done.landing, {"more.jpg": jpeg(99)})
        path = done.landing / f"subject={SUBJECT}/2026/11/more.jpg"
    elif case == "copy":
        send(done.landing, {"more.jpg": SHARED}, subject=None)
        path = done.landing / "kiwi/more.jpg"
    elif case == "row":
        path = planted(done, {"photo_id": [photo], "other": [1]})
    elif case == "key":
        key = keys_of([photo])
        path = planted(done, {"key": key.cast(pa.binary())}, "lake/bronze/known_keys/part.parquet")
    elif case == "subject":
        path = planted(done, {"photo_id": ["f" * 64], "subject": [done.pseudonym]})
    elif case == "temporary":
        path = planted(done, {"photo_id": [photo]}, "lake/bronze/photos/_temporary-planted")
    elif case == "renamed":
        path = planted(done, {"whose": [f"it was {done.pseudonym}"]})
    else:
        path = planted(done, {"blob": [SHARED]})
    return path


@pytest.mark.parametrize(
    ("case", "deep"),
    [
        ("row", False),
        ("key", False),
        ("subject", False),
        ("temporary", False),
        ("log", False),
        ("docs", False),
        ("landing", False),
        ("copy", False),
        ("renamed", True),
        ("blob", True),
    ],
)
def test_a_planted_residue_is_found_and_named(done, case, deep):
    path = residue(done, case)
    try:
        with pytest.raises(LeftBehind, match=path.name):
            verify(done.lake, done.settings, done.console, REQUEST, deep=deep)
    finally:
        path.unlink()
        shutil.rmtree(done.landing / f"subject={SUBJECT}", ignore_errors=True)
    verify(done.lake, done.settings, done.console, REQUEST, deep=False)


def test_the_same_request_again_changes_nothing(done):
    before = {table.name: done.lake.version(table) for table in catalog.TABLES}
    kept = certificates(done)
    assert erased(done) == requests_of(done)[REQUEST]
    assert certificates(done) == kept
    assert {table.name: done.lake.version(table) for table in catalog.TABLES} == before
    with pytest.raises(BadInput, match="made for another subject"):
        erased(done, subject=OTHER)


def test_what_comes_again_is_refused_and_counted(done, tmp_path, spark):
    """Known bytes under a new name and new ones, as the subject; known ones of nobody; not another's."""
    shutil.copytree(done.root, tmp_path, dirs_exist_ok=True)
    place = Place.of(tmp_path, spark, *OVERRIDES)
    send(place.landing, {"new name.jpg": SHARED, "new bytes.jpg": jpeg(7)})
    send(place.landing, {"sent on.jpg": PHOTOS[f"{MARKER}-2.jpg"]}, subject=None)
    send(place.landing, {"theirs too.jpg": PHOTOS[f"{MARKER}-2.jpg"]}, subject=OTHER)
    did = place.run("bronze")["bronze"]
    assert did.counts == {"in": 4, "kept": 1, "stored": 1, "tombstoned": 3}
    assert "3 tombstoned" in place.screen
    held = sums(place.files)
    assert held.outcomes["tombstoned"] == 3
    assert held.disagreements() == []
    wanted = [done.pseudonym.encode(), *done.wanted_ids, MARKER.encode()]
    found = places(wanted, place.root / "lake")
    assert {path.rsplit("/", 1)[0] for path, _ in found} <= {"privacy/erasures"}
    assert place.run("bronze")["bronze"].counts == {}


def test_what_is_half_done_is_finished_and_certified_once(held, done, tmp_path, spark):
    """It dies in each state; the same command ends as one that was not disturbed."""
    shutil.copytree(held.root, tmp_path, dirs_exist_ok=True)
    place = ErasedLake.of(tmp_path, spark, *OVERRIDES)
    place.pseudonym = done.pseudonym
    for point in POINTS:
        with dies(point), pytest.raises(Killed, match=point):
            erased(place)
        place.bury()
    assert certificates(place).keys() == {f"{requests_of(place)[REQUEST].certificate}.json"}
    [(name, told)] = certificates(place).items()
    assert erased(place).state is ErasureState.CERTIFIED
    assert certificates(place) == {name: told}
    assert told["counts"] == {**certificates(done)[f"{done.erasure.certificate}.json"]["counts"]}
    assert rows_of_others(place, done.photo_ids) == done.before
    assert sums(place.files).disagreements() == []
    assert {path for path, _ in places(done.wanted, place.root)} <= {THEIRS}
    states = [row["state"] for row in place.lake.records(catalog.ERASURES)]
    assert states.count("certified") == 1


POINTS = (
    "erase: requested",
    "erase: fenced",
    "departure: silver/embeddings committed",
    "erase: bronze/photos gone",
    "erase: index of keys gone",
    "erase: logical",
    "erase: fitted anew",
    "erase: a table vacuumed",
    "erase: physical",
    "erase: certificate written",
)


def test_nothing_is_certified_while_something_is_left(done):
    """A subject that was never seen, but a file of it that can't be deleted, and one planted meanwhile."""
    send(done.landing, {"ghost.jpg": jpeg(50, marker="ghost")}, subject="ghost")
    path = done.landing / "subject=ghost/2026/11/ghost.jpg"
    with undeletable(path), pytest.raises(LeftBehind, match=r"could not be deleted: .*ghost\.jpg"):
        erased(done, subject="ghost", request="request-2")
    held = requests_of(done)["request-2"]
    assert not held.has_reached(ErasureState.PHYSICAL)

    def plants(point):
        if point == "erase: physical":
            planted(done, {"subject": [pseudonym(done, "ghost")]})

    with fault_points.armed(plants), pytest.raises(LeftBehind, match="part-planted"):
        erased(done, subject="ghost", request="request-2")
    assert f"{held.certificate}.json" not in certificates(done)
    assert erased(done, subject="ghost", request="request-2").state is ErasureState.CERTIFIED
    told = certificates(done)[f"{held.certificate}.json"]
    assert told["sequence"] == 2
    first = done.files.read(f"privacy/certificates/{done.erasure.certificate}.json")
    assert told["previous_sha256"] == hashlib.sha256(first).hexdigest()
    assert not (done.landing / "subject=ghost").exists()


def pseudonym(place, name):
    return secret_places.load(
        place.settings.subjects.key, lake=place.files.root, make=False
    ).subject(name)


def test_what_cannot_be_listed_is_not_clean(done, monkeypatch):
    """Nobody can close a folder to root: the walk over the files is told that one is."""
    walk = os.walk

    def closed(root, *, topdown=True, onerror=None):
        for folder, folders, files in walk(root, topdown=topdown):
            yield folder, folders, files
            if folder == str(root) and onerror:
                onerror(PermissionError(13, "Permission denied", f"{root}/closed"))

    monkeypatch.setattr(os, "walk", closed)
    with pytest.raises(LeftBehind, match="/closed"):
        verify(done.lake, done.settings, done.console, REQUEST, deep=False)


def test_deferred_waits_for_the_retention_and_the_next_run_finishes(held, tmp_path, spark):
    shutil.copytree(held.root, tmp_path, dirs_exist_ok=True)
    place = ErasedLake.of(tmp_path, spark, *OVERRIDES)
    photo_ids = ids(place)
    before = rows_of_others(place, photo_ids)
    wanted, _ = needles(place, photo_ids=photo_ids)
    with pytest.raises(Pending, match="files of earlier versions hold them until"):
        erased(place, mode="deferred")
    erasure = requests_of(place)[REQUEST]
    days = (erasure.due_at - erasure.at).total_seconds() / 86_400
    assert days == pytest.approx(7, abs=0.01)
    [(name, told)] = certificates(place).items()
    assert name == f"{erasure.certificate}.pending.json"
    assert (told["result"], told["due"]["at"][:19]) == (
        "pending",
        erasure.due_at.isoformat(timespec="seconds")[:19],
    )
    assert place.lake.version_source(catalog.PHOTOS, 1).count() > 0
    for table in (catalog.PHOTOS, catalog.OBJECTS, catalog.EMBEDDINGS, catalog.FEATURES):
        rows = place.lake.records(table, columns=["photo_id"])
        assert not {row["photo_id"] for row in rows} & photo_ids, table.name
    assert places([place.pseudonym.encode()], place.root / "lake")
    assert not list(place.landing.glob(f"subject={SUBJECT}*"))
    assert rows_of_others(place, photo_ids) == before
    with pytest.raises(Pending, match="is pending until"):
        verify(place.lake, place.settings, place.console, REQUEST, deep=False)
    with pytest.raises(Pending):
        erased(place, mode="deferred")
    own = secret_places.load(place.settings.subjects.key, lake=place.files.root, make=False)
    answer = Auditor(place.files, own).answer(AuditQuestion(subject=SUBJECT))
    assert {found.status for found in answer.findings} <= {
        HoldingStatus.ERASED,
        HoldingStatus.NOT_HELD,
    }
    assert all("to be wiped by request request-1" in model for model in answer.models)
    [line] = sums(place.files).open_ends
    assert "request-1 is not certified: it is logical, and files are due at" in line
    with place.writing() as context:
        finish_due_erasures(context.step(ERASE))
    assert requests_of(place)[REQUEST].state is ErasureState.LOGICAL
    with place.writing() as context:
        later = erasure.due_at + timedelta(hours=1)
        finish_due_erasures(context.step(ERASE, now=later))
    finished = requests_of(place)[REQUEST]
    assert (finished.state, finished.certificate) == (ErasureState.CERTIFIED, erasure.certificate)
    assert {path for path, _ in places(wanted, place.root)} <= {THEIRS}
    assert rows_of_others(place, photo_ids) == before
    assert sums(place.files).disagreements() == []
    pending, whole = sorted(certificates(place).values(), key=lambda told: told["sequence"])
    assert (pending["certificate"], whole["result"]) == (whole["certificate"], "erased")


def words(place, *more):
    return (*more, "--lake", str(place.root / "lake"), "--landing", str(place.landing))


def test_every_suite_still_holds(done, command):
    code, out, err = command(*words(done, "check"))
    assert (code, err) == (0, ""), out
    code, _, err = command(*words(done, "check", "--table", "bronze/photos", "--version", "1"))
    assert code == 2
    assert "Version 1 of bronze/photos can't be read any more: files of it were removed" in err


def test_on_the_command_line(done, command):
    """A subject never seen is kept out from now on; other keys, and a lake in use, are refused."""
    erase_it = ("erase", "--subject", "nobody-here", "--request", "request-3")
    code, out, _ = command(*words(done, *erase_it))
    assert (code, "request-3: nothing held." in out) == (0, True)
    told = "erasing the subject nobody-here: request request-3, a new one, mode deferred."
    assert told in out
    assert "certificate" in out
    key = secret_places.load(done.settings.subjects.key, lake=done.files.root, make=False)
    stone = key.tombstone(key.subject("nobody-here"))
    assert stone in tombstones.holding(done.lake)
    assert command(*words(done, "erase", "--verify", "request-3"))[0] == 0
    for verb in (("erase", "--request", "request-5"), ("lift",), ("audit",)):
        code, _, err = command(*words(done, *verb, "--subject", "Subject%3Danna"))
        assert (code, "that follows subject=" in err) == (2, True)
    code, _, err = command(*words(done, "erase", "--verify", "request-4"))
    assert (code, "There is no erasure request-4" in err) == (2, True)
    with done.writing():
        assert command(*words(done, *erase_it))[0] == 4
    own = done.root / "lake.key"
    own.rename(done.root / "away.key")
    assert command(*words(done, *erase_it))[0] == 2
    own.write_text("another key that is long enough")
    code, _, err = command(*words(done, *erase_it))
    assert (code, "made with another key" in err) == (5, True)
    (done.root / "away.key").replace(own)
    last = done.lake.read(catalog.RUNS).where("layer = 'erase'").collect()
    assert {row["status"] for row in last} == {"done"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--subject", "anna"), "erase needs --subject S or --photo ID, and --request ID"),
        (("--subject", "anna", "--request", "for-anna"), "names the subject"),
        (("--subject", "anna/", "--request", "1"), "that follows subject="),
        (("--subject", "", "--request", "1"), "The value of --subject is empty"),
        (("--subject", "anna", "--request", "1", "--mode", "later"), "There is no mode later"),
        (("--subject", "anna", "--request", "1", "--deep"), "--deep goes with --verify"),
        (("--verify", "1", "--subject", "anna"), "--verify ID goes with no other option"),
    ],
)
def test_words_that_make_no_request_are_refused(given, said):
    with pytest.raises(BadInput, match=said):
        parse(("erase", *given))


def test_while_another_spelling_is_there_nothing_is_erased_and_exact_goes_on(done, command):
    """Nothing is journalled or certified, and no sentence names anybody. An audit says it too."""
    send(done.landing, {"near.jpg": jpeg(60, marker="near")}, subject="NOBODY-NEAR")
    kept = certificates(done)
    erase_it = ("erase", "--subject", "nobody-near", "--request", "request-5")
    code, _, err = command(*words(done, *erase_it))
    assert (code, "--exact" in err, "nobody-near" in err.lower()) == (8, True, False)
    assert "request-5" not in requests_of(done)
    assert certificates(done) == kept
    code, out, _ = command(*words(done, "audit", "--subject", "nobody-near"))
    assert (code, "near this name" in out) == (0, True)
    code, out, _ = command(*words(done, *erase_it, "--exact"))
    assert (code, "request-5: nothing held." in out) == (0, True)
    assert (done.landing / "subject=NOBODY-NEAR/2026/11/near.jpg").exists()
    shutil.rmtree(done.landing / "subject=NOBODY-NEAR")
