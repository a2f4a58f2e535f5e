"""Rows of a lake of format 4 that name a person in their paths are that person's: audits and erasures find
them, though the lake took them for rows without a subject."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake import catalog
from lake.readable_lake import Lake
from lake.run_journal import Run
from lake.storage.folder import StoredObject
from lake.storage.locate import folder
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion
from privacy.erasure import file_search, landing_objects
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.subject_data import SubjectData
from privacy.erasure.subject_matcher import SubjectMatcher
from tests.support.named_rows import FORMAT_4, TODAY, land, make
from tests.support.photo_tables import write

HERS = (
    "subject=anna/1.jpg",
    "Subject=anna/2.jpg",
    "subject%3Danna/3.jpg",
    "subject=anna/subject=/4.jpg",
)
OTHERS = ("subject=Anna/5.jpg", "SUBJECT=bert/6.jpg", "kiwi/7.jpg", "user=anna/8.jpg")
REJECTED = ("subject =anna/9.txt", "SUBJECT=bert/10.txt", "kiwi/11.txt")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """The root of a lake of format 4, and the photo ids by path."""
    root = tmp_path_factory.mktemp("lake")
    ids = make(root, [*HERS, *OTHERS], pseudonyms=FORMAT_4, rejected=REJECTED)
    write(root, catalog.FEATURES, [{"photo_id": ids[path]} for path in (HERS[1], OTHERS[1])])
    return str(root), ids


def matcher(known, photo_ids=()):
    return SubjectMatcher(
        known, known.tombstone(known.subject("anna")), frozenset(photo_ids), frozenset()
    )


def test_an_audit_finds_them_in_every_table(lake):
    root, ids = lake
    audit = Auditor(folder(root), FORMAT_4).answer(AuditQuestion(subject="anna"))
    rows = {found.table: found.rows for found in audit.findings if found.rows}
    assert rows == {
        "bronze/objects": len(HERS) + 1,
        "bronze/photos": len(HERS),
        "bronze/rejected": 1,
        "gold/features": 1,
    }
    photos = {photo for found in audit.findings for photo in found.photos}
    assert photos == {ids[path] for path in HERS}


def test_an_erasure_takes_them_in(lake):
    root, ids = lake
    held = Lake(lambda: pytest.fail("Spark was started"), folder(root), Run.begin("digest"))
    data = SubjectData.of(held, FORMAT_4, pseudonym=FORMAT_4.subject("anna"))
    assert data.photo_ids == {ids[path] for path in HERS}
    assert data.owned.objects == {FORMAT_4.path(REJECTED[0])}
    assert data.rows() == {
        "bronze/objects": len(HERS) + 1,
        "bronze/photos": len(HERS),
        "bronze/rejected": 1,
        "gold/features": 1,
    }
    order = [(table.name, column) for table, column in data.bronze_keys]
    assert order.index(("bronze/objects", "object")) < order.index(("bronze/rejected", "object"))


@pytest.mark.parametrize("known", [FORMAT_4, TODAY], ids=["format 4", "today"])
def test_their_landing_objects_go_and_uncertain_ones_stay(tmp_path, known):
    land(tmp_path, [*HERS, *OTHERS, *REJECTED])
    nothing = KnownObjects(frozenset(), frozenset())
    root, own = str(tmp_path), matcher(known)
    assert landing_objects.sweep(root, own, nothing, check_lease=lambda: None) == []
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*OTHERS, *REJECTED[1:]}


def test_a_copy_under_an_uncertain_path_may_be_somebody_elses(tmp_path):
    land(tmp_path, ["user=bert/1.jpg", "kiwi/1.jpg"])
    erased = frozenset(
        TODAY.tombstone(TODAY.originals(path.encode()))
        for path in ("user=bert/1.jpg", "kiwi/1.jpg")
    )
    search = SubjectMatcher(TODAY, TODAY.tombstone(TODAY.subject("anna")), frozenset(), erased)
    nothing = KnownObjects(frozenset(), frozenset())
    landing_objects.sweep(str(tmp_path), search, nothing, check_lease=lambda: None)
    assert [each.name for each in tmp_path.rglob("*.jpg")] == ["1.jpg"]
    assert (tmp_path / "user=bert/1.jpg").exists()


@pytest.mark.parametrize(
    ("known", "path", "what"),
    [
        (FORMAT_4, "Subject=anna/1.txt", "a row whose path names the subject"),
        (FORMAT_4, "Subject=bert/1.txt", None),
        (FORMAT_4, None, None),
        (FORMAT_4, "subject:anna/1.txt", None),
        (TODAY, "Subject=anna/1.txt", "the subject's name"),
    ],
)
def test_the_verification_reads_the_paths_of_rows(tmp_path, known, path, what):
    """Under today's rule no table has such a path, so each is the subject's name in clear."""
    file = tmp_path / "rows"
    pq.write_table(pa.table({"object": ["o"], "path": pa.array([path], pa.string())}), file)
    stored = StoredObject(folder(str(tmp_path)), file.name)
    assert file_search.residue_in(stored, matcher(known)) == what
