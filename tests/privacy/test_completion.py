"""Requests that a later command completes, or that earlier code began, and what no key of a row tells."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from conf.errors import LeftBehind
from lake import catalog
from lake.chunks import ChunkState
from lake.enums import POSSIBLY_FITTED_PREFIX, ErasureMode, ErasureState
from lake.pseudonyms import Pseudonyms
from privacy.erasure import completion, request_journal, verification
from privacy.erasure.verification import SearchResult
from tests.support.certified_erasures import (
    START,
    requested,
    rewrite_journal,
    take,
)
from tests.support.small_lake import small_lake

KEYS = Pseudonyms(b"the secret of this lake")
LATER = START + timedelta(days=30)


def context_of(lake):
    """What a command has in hand that completes requests."""
    return SimpleNamespace(lake=lake, settings=None, pseudonyms=KEYS, now=LATER)


@pytest.fixture
def completing(monkeypatch):
    """The last steps of an erasure, without what needs Spark, removes, or searches."""
    for module, step in (
        (completion.model_refits, "fit_anew_and_wipe"),
        (completion.file_removal, "remove_files"),
        (completion.moments_table, "leave_shifts"),
    ):
        monkeypatch.setattr(module, step, lambda *of: None)
    found = SearchResult(False, {"lake": 3}, {"lake": 300})
    monkeypatch.setattr(completion, "_verify", lambda context, erasure, *, name: found)
    monkeypatch.setattr(completion, "_places", lambda context: {"lake": "/lake"})


def due(lake, name, **more):
    """A request whose rows are gone, and whose old files may go."""
    erasure = take(lake, requested(name), ErasureState.FENCED)
    return take(lake, erasure, ErasureState.LOGICAL, due_at=START, **more)


def states(lake):
    return {
        name: each.state for name, each in request_journal.last(lake, KEYS.certificates).items()
    }


def test_a_request_whose_bare_name_was_found_is_completed_by_no_command_that_does_not_know_it(
    tmp_path, completing
):
    with small_lake(tmp_path) as lake:
        due(lake, "found", mentions=2)
        due(lake, "other")
        completed = completion.finish_due(context_of(lake))
        assert next(completed).request == "other"
        with pytest.raises(LeftBehind, match=r"^found: The name itself stood in 2 files"):
            next(completed)
        assert states(lake) == {"found": ErasureState.LOGICAL, "other": ErasureState.CERTIFIED}
        found = request_journal.last(lake, KEYS.certificates)["found"]
        done = completion.complete(context_of(lake), found, name="anna")
        assert (done.state, done.mentions) == (ErasureState.CERTIFIED, 0)


def test_where_the_bare_name_is_another_word_any_command_completes_the_request(
    tmp_path, completing
):
    with small_lake(tmp_path) as lake:
        due(lake, "found", mentions=2, exact=True)
        [completed] = completion.finish_due(context_of(lake))
        assert (completed.state, completed.exact) == (ErasureState.CERTIFIED, True)


def test_a_request_that_can_not_be_completed_keeps_no_other_from_it(
    tmp_path, completing, monkeypatch
):
    def stuck(context, erasure):
        if erasure.request == "b":
            raise LeftBehind("A file could not be deleted.")

    with small_lake(tmp_path) as lake:
        for name in "abc":
            due(lake, name)
        monkeypatch.setattr(completion.file_removal, "remove_files", stuck)
        completed = []
        with pytest.raises(LeftBehind, match=r"^b: A file could not be deleted\.$"):
            completed.extend(completion.finish_due(context_of(lake)))
        assert states(lake)["b"] is ErasureState.LOGICAL
        assert {states(lake)[name] for name in "ac"} == {ErasureState.CERTIFIED}


@pytest.mark.parametrize("is_of_before", [True, False])
def test_a_request_that_earlier_code_fenced_asks_the_lineage_too(
    tmp_path, monkeypatch, is_of_before
):
    """It had found no version, because the rows that told of one went with `retire`."""
    model = {"weights_id": "m", "kind": "pca", "through_chunk": 2, "chunk": 3, "created_at": START}
    withdrawn = {"layer": "silver", "state": ChunkState.RETIRED.value, "weights_id": "m"}
    made_of = {"source_from": 1, "source_to": 1, "photos": 1, "at": START, "entry": 1}
    rows = {
        catalog.MODELS: [{"version": "pca-1", "status": "retired", **model}],
        catalog.CHUNKS: [{"chunk": 2, **withdrawn, **made_of}],
    }
    root, moved = tmp_path / "lake", []
    with small_lake(root, rows) as lake:
        erasure = due(lake, "a", photo_ids=frozenset({"b" * 64}))
        if is_of_before:
            nothing = dict.fromkeys(("certificates", "head", "hmac"))
            (root / "lake.json").write_text('{"format": 4}')
            rewrite_journal(root, lambda rows: [row | nothing for row in rows])
            erasure = request_journal.last(lake, KEYS.certificates)["a"]
        monkeypatch.setattr(completion.moments_table, "leave_shifts", moved.append)
        today = completion._as_of_today(context_of(lake), erasure)
    expected = {f"{POSSIBLY_FITTED_PREFIX}pca-1": 1} if is_of_before else {}
    assert dict(today.counts) == expected
    assert moved == [lake]


@pytest.mark.parametrize(
    ("made_of", "tables"),
    [
        ({}, []),
        ({"photo_ids": frozenset({"b" * 64})}, [catalog.MOMENTS]),
        ({"counts": {"possibly fitted:pca-1": 1}}, [catalog.MODELS, catalog.MOMENTS]),
    ],
)
def test_older_files_that_hold_what_was_made_of_photos_are_traces(tmp_path, made_of, tables):
    """Those that were written after the certificate are not."""
    root = tmp_path / "lake"
    with small_lake(root, {catalog.MODELS: [], catalog.MOMENTS: []}) as lake:
        for table in (catalog.MODELS, catalog.MOMENTS):
            place = root / table.name / "part-old.parquet"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"PAR1")
        erasure = replace(requested("a"), mode=ErasureMode.DEFERRED, **made_of)
        found = SearchResult(False)
        verification._search_models(lake, erasure, found)
        names = {each.path.removeprefix(f"{root}/") for each in found.residues}
        assert names == {f"{table.name}/part-old.parquet" for table in tables}
        erasure = replace(erasure, state=ErasureState.CERTIFIED)
        for at, count in ((START, 0), (START.replace(year=2100), len(tables))):
            found = SearchResult(False)
            verification._search_models(lake, replace(erasure, at=at), found)
            assert len(found.residues) == count
