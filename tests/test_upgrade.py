"""Lakes of earlier formats are upgraded, are killed at each point of the way, and work as one made today.

What they went through before stands in tests/lakes/README.md.
"""

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from gold import moments_table
from lake import catalog, delta_log, fault_points, lake_format
from lake.lake_format import FORMAT
from privacy.erasure import certificate
from report.lake_counts import sums
from tests.lakes import make
from tests.support.earlier_lakes import audited, calls, place_of, unpack_lake
from tests.support.kills import Killed, dies
from tests.support.table_contents import repeated
from tests.support.upgrades import upgrade

BLOCKED = "14"
"""The chunk of silver that its gate blocked on the last day."""

POINTS = {
    4: ["privacy/erasures has its columns", "moments moved", "format 5 reached"],
    5: [
        *(f"{name} has its columns" for name in ("bronze/objects", "bronze/photos")),
        *(f"{name} has its columns" for name in ("bronze/rejected", "gold/models")),
        "gold/held_out has its columns",
        "format 6 reached",
    ],
}
"""The points of each step, by the format that it is of."""


def unpacked(number, root, spark):
    unpack_lake(number, root)
    return place_of(root, spark)


@pytest.fixture(scope="module", params=[4, 5], ids=["from 4", "from 5"])
def upgraded(request, tmp_path_factory, spark):
    """A lake of an earlier format after its upgrade, for tests that only look: its format of before, its
    versions of before, and the points that the upgrade passed."""
    root = tmp_path_factory.mktemp("upgraded") / "place"
    place = unpacked(request.param, root, spark)
    place.made_as, place.before, place.points = request.param, versions(place), []
    with fault_points.armed(place.points.append):
        upgrade(place.settings, place.console)
    return place


@pytest.fixture
def place(upgraded, tmp_path, spark):
    """A copy of that lake."""
    shutil.copytree(upgraded.root, tmp_path, dirs_exist_ok=True)
    found = place_of(tmp_path, spark)
    found.made_as, found.before = upgraded.made_as, upgraded.before
    return found


@pytest.fixture
def call(place, command):
    """The command line over that lake: its exit code, and all that it printed."""
    return calls(command)


def versions(place):
    """The version of every table that the lake has, by table."""
    held = (table for table in catalog.TABLES if delta_log.has_commit(place.files, table.name))
    return {table: place.lake.version(table) for table in held}


def contents(place):
    """What lake.json and every table but ops/runs hold, by whichever run, and what the logs say of them."""
    found = {"lake.json": lake_format.values_of(place.files)}
    for table in catalog.TABLES:
        known = place.lake.log(table).table()
        columns = [(field.name, str(field.type)) for field in known.schema().fields]
        features = sorted(known.protocol().writer_features or ())
        held = () if table is catalog.RUNS else place.lake.records(table)
        rows = sorted(repr({**row, "run_id": None}) for row in held)
        found[table.name] = (columns, features, known.metadata().configuration, rows)
    return found


def test_it_has_the_tables_and_the_record_of_one_made_today(upgraded):
    values = lake_format.values_of(upgraded.files)
    assert (values["format"], values["made_as_format"]) == (FORMAT, upgraded.made_as)
    assert values["photo_ids"] == {4: "", 5: "keyed"}[upgraded.made_as]
    assert values["names"]["rule"] == {4: 1, 5: 2}[upgraded.made_as]
    for table in catalog.TABLES:
        known = upgraded.lake.log(table).table()
        columns = {field.name for field in known.schema().fields}
        assert columns == set(table.column_names), table.name
        assert upgraded.lake.log(table).has_commit_timestamps() is not table.is_small
        wanted = catalog.properties(table, upgraded.settings.delta)
        assert known.metadata().configuration.items() >= wanted.items(), table.name
    if upgraded.made_as == 4:
        assert list(moments_table.off_the_mean(upgraded.lake)) == []
    own = [point.removeprefix("upgrade: ") for point in upgraded.points if "upgrade: " in point]
    assert own == [each for step in range(upgraded.made_as, FORMAT) for each in POINTS[step]]
    [run] = [row for row in upgraded.lake.records(catalog.RUNS) if row["layer"] == "upgrade"]
    steps = FORMAT - upgraded.made_as
    assert dict(run["counts"]) == {"changes": len(own) - steps, "formats": steps}


def test_killed_at_each_point_it_ends_the_same(upgraded, tmp_path, spark):
    wanted = contents(upgraded)
    for number, point in enumerate(dict.fromkeys(upgraded.points)):
        place = unpacked(upgraded.made_as, tmp_path / str(number), spark)
        with dies(point), pytest.raises(Killed, match=point):
            upgrade(place.settings, place.console)
        place.bury()
        assert sums(place.files).disagreements() == []  # readers go on
        upgrade(place.settings, place.console)
        assert contents(place) == wanted, point


def test_every_row_and_every_earlier_version_is_still_there(upgraded, tmp_path, spark):
    before = unpacked(upgraded.made_as, tmp_path, spark)
    earlier = counts(before, upgraded.before)
    assert len(earlier) > 100
    assert counts(upgraded, upgraded.before) == earlier
    for table in upgraded.before.keys() - {catalog.RUNS, catalog.MOMENTS}:
        columns = [field.name for field in before.lake.log(table).table().schema().fields]
        rows = {repr(row) for row in before.lake.records(table, columns=columns)}
        found = upgraded.lake.records(table, columns=columns)
        assert {repr(row) for row in found} == rows, table.name
    for name in before.files.names(certificate.FOLDER, suffix=".json"):
        path = f"{certificate.FOLDER}/{name}"
        assert upgraded.files.read(path) == before.files.read(path)


def counts(place, last):
    """The rows of each version up to the last, by table and version: of those whose files are still there,
    as those of some went with Bruno."""
    found = {}
    for table, end in last.items():
        for version in range(end + 1):
            known = DeltaTable(place.files.uri(table.name), version=version)
            if all(Path(uri).exists() for uri in known.file_uris()):
                found[table.name, version] = known.to_pyarrow_table().num_rows
    return found


def test_a_second_upgrade_does_nothing(call, place):
    before = versions(place)
    for words in (["upgrade"], ["upgrade", "--dry-run"]):
        code, told = call(*words)
        assert (code, "there is nothing to upgrade" in told) == (0, True), told
    assert versions(place) == before
    code, told = call("status")
    assert (code, "today's is" in told, "The sums agree" in told) == (0, False, True), told


def test_audits_and_certificates_tell_what_they_told_before(call, place):
    anna, bruno = audited(call, "anna"), audited(call, "bruno")
    held = ("bronze/objects", "bronze/photos", "silver/embeddings", "gold/features")
    assert {anna[table] for table in held} == {"HELD"}
    assert {bruno[table] for table in held} == {"ERASED"}
    times = [row["ingested_at"] for row in place.lake.records(catalog.PHOTOS)]
    at = max(times).isoformat()
    assert audited(call, "dora", "--at", min(times).isoformat())["silver/embeddings"] != "HELD"
    assert audited(call, "dora", "--at", at)["silver/embeddings"] == "HELD"
    code, told = call("erase", "--verify", "R-1", "--deep")
    assert (code, "nothing of it was found" in told) == (0, True), told


def test_the_next_days_go_on_and_whom_it_erased_stays_away(call, place):
    assert call("replay", "--chunk", BLOCKED, "--quarantine")[0] == 0
    make.put(place.landing, "subject=bruno/again.jpg", make.photo(1, kind="kiwi"))
    make.put(place.landing, "subject=bruno/new.jpg", make.photo(77, kind="kiwi"))
    for seed in range(50, 56):
        kind = ("apple", "kiwi", "lemon")[seed % 3]
        make.put(place.landing, f"{kind}/{seed}.jpg", make.photo(seed, kind=kind))
    known = next((place.landing / "kiwi").glob("*.jpg"))
    make.put(place.landing, "kiwi/sent again.jpg", known.read_bytes())
    code, told = call("--layer", "all")
    assert (code, "2 tombstoned" in told, "1 duplicate" in told) == (0, True, True), told
    assert call("train")[0] == 0
    code, told = call("predict", str(known))
    assert (code, "classifier-" in told) == (0, True), told
    code, told = call("check")
    assert code == 0, told
    assert repeated(place.lake) == {}
    assert sums(place.files).disagreements() == []


def test_tables_go_back_to_versions_of_before_and_a_person_leaves(call, place):
    for table in (catalog.EMBEDDINGS, catalog.FEATURES):
        version = str(place.before[table])
        code, told = call("restore", "--table", table.name, "--version", version)
        assert (code, f"as it was at version {version}: 0 rows left" in told) == (0, True), told
    code, told = call("erase", "--subject", "anna", "--request", "R-2", "--mode", "immediate")
    assert (code, "certificate" in told) == (0, True), told
    for request in ("R-1", "R-2"):
        code, told = call("erase", "--verify", request, "--deep")
        assert (code, "nothing of it was found" in told) == (0, True), told
    assert set(audited(call, "anna").values()) <= {"ERASED", "NOT_HELD"}
    make.put(place.landing, "subject=anna/again.jpg", make.photo(0, kind="apple"))
    code, told = call("--layer", "bronze")
    assert (code, "1 tombstoned" in told) == (0, True), told
    assert sums(place.files).disagreements() == []
