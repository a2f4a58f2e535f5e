"""Which refusals another limit, or other code, may end: the others are not told about."""

import ast
import shutil
from dataclasses import replace
from importlib.resources import files

import pyarrow as pa
import pytest

from bronze import rejection_causes
from bronze.formats.cleaning_results import OVER_LIMIT, RejectionReason, too_large
from bronze.rejection_causes import BY_CODE, Reader, code_digest, may_pass, with_reader
from cli.known_names import REJECTIONS
from conf.settings import Settings

NOW = Reader("code", 100, 20.0, 1 << 20)
OVER = too_large(50).detail


def held(reason, *, by, size=80, detail="broken"):
    row = {"reason": reason, "detail": detail, "size_bytes": size}
    row["read_by"] = None if by is None else str(by)
    schema = pa.schema(
        [(name, pa.int64() if name == "size_bytes" else pa.string()) for name in row]
    )
    return may_pass(pa.Table.from_pylist([row], schema), NOW).num_rows == 1


@pytest.mark.parametrize(
    ("then", "ended"),
    [
        (NOW, set()),
        (replace(NOW, seconds=60.0, memory=1 << 30, max_bytes=9), set()),
        (replace(NOW, seconds=19.5), {"parser_timeout"}),
        (replace(NOW, memory=1), {"parser_crashed", "too_large"}),
        (replace(NOW, code="earlier"), set(RejectionReason) - {"empty"}),
        (None, set(RejectionReason) - {"empty"}),
    ],
)
def test_a_refusal_may_end_where_what_it_came_from_has_changed(then, ended):
    assert {each for each in RejectionReason if held(each, by=then)} == ended


@pytest.mark.parametrize("reason", ["unreadable", "uncertain_subject", "impossible_time"])
def test_no_other_code_ends_what_was_never_read(reason):
    assert not held(reason, by=None)


@pytest.mark.parametrize(
    ("size", "then", "ends"),
    [
        (80, 50, True),
        (100, 50, True),
        (101, 50, False),
        (80, 80, False),  # it was tried by this limit, and has left the landing folder
        (80, None, True),
        (101, None, False),
    ],
)
def test_a_refusal_for_the_size_ends_by_the_limit_alone(size, then, ends):
    by = then and replace(NOW, max_bytes=then, code="earlier")
    assert held("too_large", by=by, size=size, detail=OVER) is ends


def test_a_reader_is_read_as_it_was_written():
    reader = Reader.of(Settings.load("local", environment={}).photos)
    assert Reader.of_text(str(reader)) == reader
    assert reader.code == code_digest()
    for other in (None, "", "code", "code 1 2 x"):
        assert Reader.of_text(other) is None


def test_what_knows_and_reads_files_is_the_code_that_counts(tmp_path, monkeypatch):
    for package in ("bronze.formats", "lake"):
        shutil.copytree(files(package), tmp_path / package)
    monkeypatch.setattr(rejection_causes, "files", lambda package: tmp_path / package)
    assert code_digest.__wrapped__() == code_digest()
    for name in ("bronze.formats/heic.py", "lake/photo_formats.py", "lake/iso_boxes.py"):
        before = code_digest.__wrapped__()
        (tmp_path / name).write_text((tmp_path / name).read_text() + "# mended\n")
        assert code_digest.__wrapped__() != before
    needed = set()
    for source in (tmp_path / "bronze.formats").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lake"):
                parts = (node.module or "").split(".")[1:]
                needed |= {*parts} or {each.name for each in node.names}
    assert {f"{each}.py" for each in needed} == {*rejection_causes.SHARED}


def test_rows_of_earlier_code_get_the_column():
    rows = with_reader(pa.table({"reason": ["malformed"]}))
    assert rows["read_by"].to_pylist() == [None]
    assert with_reader(rows) is rows


def test_the_reasons_of_the_words_are_those_of_the_code():
    assert list(REJECTIONS) == [each.value for each in RejectionReason]
    assert OVER.startswith(OVER_LIMIT)
    assert "empty" not in BY_CODE
