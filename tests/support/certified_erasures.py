"""A lake that has the journal of erasures and certificates alone, made without Spark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from conf.settings import Settings
from lake import catalog, delta_rs_reader, lake_format, lease, small_tables
from lake.enums import ErasureMode, ErasureState
from lake.pseudonyms import Pseudonyms
from lake.run_journal import Run
from lake.small_tables import arrow_rows
from lake.storage.locate import folder
from lake.writable_lake import WritableLake
from privacy.erasure import certificate, request_journal
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.verification import SearchResult

KEY = Pseudonyms(b"the secret of this lake").certificates
START = datetime(2026, 11, 1, 6, tzinfo=UTC)
NEW_COLUMNS = ("certificates", "head", "acknowledged", "hmac")
"""The columns that the journal of a lake of earlier code lacks."""


def no_spark():
    raise AssertionError("Spark was started")


@contextmanager
def journal_lake(root) -> Iterator[WritableLake]:
    """A lake under a root, for writing; its table privacy/erasures is made where there is none."""
    files = folder(str(root))
    files.make()
    delta = Settings.load("local", environment={}).delta
    table = catalog.ERASURES
    small_tables.create(files.root, table, catalog.properties(table, delta))
    with lease.held(files, run_id="run", seconds=60) as own:
        yield WritableLake(no_spark, files, Run("run", "code", "settings"), own)


def requested(name):
    """A request for erasure that is in no journal yet. Its certificate is `certificate-NAME`."""
    return ErasureRequest(
        name,
        ErasureState.REQUESTED,
        ErasureMode.IMMEDIATE,
        f"tombstone of {name}",
        f"certificate-{name}",
        START,
        0,
    )


def take(lake, erasure, state, **more):
    """Record that a request reached a state."""
    at = erasure.at + timedelta(seconds=1)
    return request_journal.reach(lake, erasure, state, at=at, key=KEY, **more)


def verified(lake, name):
    """A request that was verified and has no certificate yet."""
    erasure = take(lake, requested(name), ErasureState.REQUESTED)
    photos = {"photo_ids": frozenset({"b" * 64, "a" * 64}), "counts": {"bronze/photos": 2}}
    erasure = take(lake, erasure, ErasureState.FENCED, **photos)
    return verified_of(lake, take(lake, erasure, ErasureState.LOGICAL, due_at=erasure.at))


def verified_of(lake, erasure):
    """A request whose rows are gone, after it was verified."""
    for state in (ErasureState.PHYSICAL, ErasureState.VERIFIED):
        erasure = take(lake, erasure, state, versions_after={"bronze/photos": 7})
    return erasure


def written(lake, erasure, *, is_whole=True, place="/lake"):
    """Write the certificate of a request, or its first part, about a lake at a place; return its hash."""
    result = SearchResult(False, {"lake": 3}, {"lake": 300}) if is_whole else None
    return certificate.write(lake, erasure, result, places={"lake": place}, key=KEY)


def certified(lake, name):
    """A request with its certificate."""
    erasure = verified(lake, name)
    return take(lake, erasure, ErasureState.CERTIFIED, certificate_sha256=written(lake, erasure))


def rewrite_journal(root, change, *, without=()):
    """Put rows in the place of the whole journal, as another program could: those that `change` makes of the
    rows, in the order of their entries. The columns `without` are left out of the table."""
    place = f"{root}/{catalog.ERASURES.name}"
    known = small_rows(root)
    schema = arrow_rows(catalog.ERASURES, []).schema
    rows = pa.Table.from_pylist(
        [dict.fromkeys(schema.names) | row for row in change(known)], schema
    )
    write_deltalake(
        place, rows.drop_columns(list(without)), mode="overwrite", schema_mode="overwrite"
    )


def small_rows(root):
    """The rows of the journal as they lie there, in the order of their entries."""
    return sorted(delta_rs_reader.rows(str(root), catalog.ERASURES), key=lambda row: row["entry"])


def made_by_earlier_code(root):
    """Make the journal and the certificates what earlier code would have left: nothing is authenticated."""
    paths = Path(root, certificate.FOLDER).glob("*.json")
    bodies = {path: certificate.read(path.read_bytes()) for path in paths}
    previous = None
    for path, body in sorted(bodies.items(), key=lambda each: each[1]["sequence"]):
        del body[certificate.HMAC], body["made_before"]
        content = json.dumps(body | {"previous_sha256": previous}, indent=2).encode() + b"\n"
        path.write_bytes(content)
        previous = hashlib.sha256(content).hexdigest()
    rewrite_journal(
        root,
        lambda rows: [{**row, **dict.fromkeys(NEW_COLUMNS)} for row in rows],
        without=NEW_COLUMNS,
    )
    of_format(root, lake_format.EARLIEST)


def of_format(root, number):
    """Say in lake.json of which format the lake is."""
    Path(root, lake_format.NAME).write_text(json.dumps({"format": number, "key": "fingerprint"}))
