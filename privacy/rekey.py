"""A new key for a lake: every pseudonym, id of a photo, tombstone and HMAC moves to it, and a certificate
confirms it.

No name is needed: a pseudonym under the new key is made from its tombstone under the earlier one
(`lake.pseudonyms`). Therefore the earlier key stays needed, but whoever knows it alone can calculate nothing
that the lake holds from then on.

lake.json records first that the lake is on its way, and every other command refuses it until it is there.
Each table moves in one commit, which is made once: a command that died is run again and goes on. Then the
files of before are removed at once, because pseudonyms under the earlier key stand in them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from conf.errors import BadInput, LeftBehind, Refused
from lake import catalog, delta_log, fault_points, known_keys, lake_format, working_files
from lake.catalog import Table
from lake.chunks import ChunkPlan
from lake.context import Context
from lake.enums import BRONZE, REKEY, ErasureState
from lake.pseudonyms import PhotoIdRule, PseudonymKind, Pseudonyms
from lake.publication import abandon, drop_abandoned
from lake.writable_lake import WritableLake
from privacy import moved_rows, tombstones
from privacy.audit import audit_log
from privacy.erasure import certificate, certificate_check, request_journal, unreferenced_files
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.verification import SearchResult
from privacy.finish_chunks import finish_half_published
from privacy.moved_rows import Moves

SMALL = (catalog.TOMBSTONES, catalog.ERASURES)
"""The small tables with tombstones and ids of photos. They move before bronze/photos, which has the ids."""

TO, CHUNK, VERSIONS, CERTIFICATE = "to", "chunk", "versions", "certificate"
"""The keys of what lake.json records of a move: the fingerprint of the new key, the number of the chunk under
which the tables of photos move, the versions of the small tables before, and the id of the certificate."""


@dataclass(frozen=True)
class Rekeyed:
    """What a move to a new key did: the number of rows by table, and its certificate."""

    rows: Mapping[str, int]
    request: ErasureRequest


def under(known: Pseudonyms, new: Pseudonyms) -> Pseudonyms:
    """Return the pseudonyms of a lake under a new secret. Raises BadInput where the lake has that secret, or
    had it before."""
    if new.secret == known.secret:
        raise BadInput("The lake has that key already; name another for --new-key.")
    if new.secret in known.secrets:
        raise BadInput("The lake had that key before; name one that it never had for --new-key.")
    rule = PhotoIdRule.OF_ORIGINAL
    return Pseudonyms(new.secret, names=known.names, photo_id_rule=rule, earlier=known)


def rekey(context: Context) -> Rekeyed:
    """Move the lake to the newest secret of the context's pseudonyms, from the one before it.

    A move that was begun goes on where it ended. Raises Refused where it was begun to another key, where
    tombstones of earlier code can't move, and where bronze has staged photos; Inconsistent where a
    certificate or the journal of erasures doesn't hold; LeftBehind where a file of before could not be
    deleted; Blocked where a gate stops a half published chunk; and Busy.
    """
    lake, known = context.lake, context.pseudonyms
    record = lake_format.rekey_of(lake.files) or _begin(context)
    if record[TO] != known.fingerprint:
        raise Refused(
            f"The lake is on its way to another key, whose fingerprint begins with {record[TO][:8]}; name "
            f"that one for --new-key."
        )
    moves = Moves.to(known)
    _move_tables(lake, known, moves, record)
    _move_audits(lake, known)
    _remove_old_files(lake)
    rows = {table.name: lake.source(table).count() for table in (*moved_rows.TABLES, *SMALL)}
    request = _certify(context, record, rows)
    lake.check_lease()
    lake_format.finish_rekey(lake.files, known, record)
    fault_points.at("rekey: finished")
    return Rekeyed(rows, request)


def _begin(context: Context) -> Mapping[str, Any]:
    """Check that the lake can move, give up what is staged, and record the move in lake.json; return the
    record. What is staged has pseudonyms under the earlier key, and the next run makes it again."""
    lake, earlier = context.lake, context.pseudonyms.earlier
    assert earlier is not None
    certificate_check.check(lake, earlier.certificates).raise_faults()
    _check_requests(context)
    finish_half_published(replace(context, pseudonyms=earlier))
    if staged := [each for each in lake.ledger.unfinished() if each.layer == BRONZE]:
        raise Refused(
            f"{len(staged):,} chunks of bronze are staged and not published, and their objects may be gone "
            f"from the landing folder; run --layer bronze first, so that no photo is lost."
        )
    abandon(lake, lake.ledger.unfinished())
    drop_abandoned(lake)
    [chunk] = lake.ledger.plan([ChunkPlan(layer=REKEY)])
    record = {
        TO: context.pseudonyms.fingerprint,
        CHUNK: chunk.number,
        VERSIONS: {table.name: lake.version(table) for table in SMALL},
        CERTIFICATE: secrets.token_hex(16),
    }
    lake.check_lease()
    lake_format.begin_rekey(lake.files, record)
    fault_points.at("rekey: begun")
    return record


def _check_requests(context: Context) -> None:
    """Raise Refused where a request for one photo is half done, and where earlier code made the tombstones of
    single photos: both know the photo by an id that can't move."""
    lake, known = context.lake, context.pseudonyms.earlier
    assert known is not None
    asked = [r for r in request_journal.last(lake, known.certificates).values() if r.of_photo]
    if half_done := [r.request for r in asked if not r.has_reached(ErasureState.LOGICAL)]:
        raise Refused(
            f"The request {half_done[0]} for one photo is half done; finish it with the same erase command, "
            f"and run rekey again."
        )
    rows = tombstones.holding_rows(lake, now=context.now)
    movable = {row["request"] for row in rows if row["of"] == tombstones.PHOTO_ID}
    movable &= {row["request"] for row in rows if row["of"] == tombstones.PHOTO}
    holding = {row["tombstone"] for row in rows if row["request"] not in movable}
    if any(each.subject in holding for each in asked):
        raise Refused(
            "Earlier code made tombstones of single photos, and they can't move to another key: lift them "
            "(lift --photo), run rekey, and erase again what is sent again."
        )


def _has_moved(lake: WritableLake, table: Table, record: Mapping[str, Any]) -> bool:
    """Return whether a small table has a commit of this move."""
    for version in range(record[VERSIONS][table.name] + 1, lake.version(table) + 1):
        info = delta_log.commit_info(delta_log.actions(lake.files, table, version) or [])
        if delta_log.written_by(info).get("layer") == REKEY:
            return True
    return False


def _move_tables(
    lake: WritableLake, known: Pseudonyms, moves: Moves, record: Mapping[str, Any]
) -> None:
    """Move each table that has not moved yet. Raises Busy."""
    chunk = lake.ledger.chunks()[record[CHUNK]]
    *others, photos = moved_rows.TABLES
    known_keys.forget(lake, layer=REKEY)
    for table in others:
        lake.replace(table, moved_rows.moved_frame(lake, table, moves), chunk=chunk)
        fault_points.at(f"rekey: {table.name} moved")
    changes = {
        catalog.TOMBSTONES: partial(moved_rows.moved_tombstones, pseudonyms=known),
        catalog.ERASURES: partial(
            moved_rows.moved_requests,
            pseudonyms=known,
            ids=partial(moved_rows.new_ids, lake, moves),
            has_earlier_code=lake_format.is_made_before_certificates(lake.files),
        ),
    }
    for table in SMALL:
        if not _has_moved(lake, table, record):
            lake.rewrite(table, changes[table], layer=REKEY)
            fault_points.at(f"rekey: {table.name} moved")
    lake.replace(photos, moved_rows.moved_frame(lake, photos, moves), chunk=chunk)
    fault_points.at(f"rekey: {photos.name} moved")


def _move_audits(lake: WritableLake, known: Pseudonyms) -> None:
    """Move the tombstone of whom each recorded audit was about. A record that can't be read stays."""
    for name in lake.files.names(audit_log.FOLDER, suffix=".json"):
        content = lake.files.read(f"{audit_log.FOLDER}/{name}") or b""
        body = certificate.read(content)
        if body is None or body.get(audit_log.KEY) == known.fingerprint:
            continue
        if not isinstance(body.get("about"), dict):
            continue  # no record of an audit
        kinds = [kind for kind in PseudonymKind if isinstance(body["about"].get(kind), str)]
        about = {kind: known.moved_tombstone(kind, body["about"][kind]) for kind in kinds}
        moved = {**body, "about": {**body["about"], **about}, audit_log.KEY: known.fingerprint}
        lake.check_lease()
        lake.files.write(
            f"{audit_log.FOLDER}/{name}", (json.dumps(moved, indent=2) + "\n").encode()
        )
    fault_points.at("rekey: audits moved")


def _remove_old_files(lake: WritableLake) -> None:
    """Remove every file that no current version of a table has. Raises LeftBehind, which names what could not
    be deleted, and Busy."""
    drop_abandoned(lake)
    lake.spark.catalog.clearCache()
    left = list(map(str, working_files.sweep()))
    for table in catalog.TABLES:
        left += map(str, unreferenced_files.remove_strays(lake, table))
        fault_points.at("rekey: a table vacuumed")
    superseded = lake.files.superseded()
    left += map(str, unreferenced_files.remove_each(superseded, check_lease=lake.check_lease))
    left += [
        str(each) for table in catalog.TABLES for each in unreferenced_files.strays(lake, table)
    ]
    if left:
        raise LeftBehind(
            f"{len(set(left)):,} files of before the new key could not be deleted: "
            f"{', '.join(sorted(set(left)))}. Give this process the right to delete them, and run the same "
            f"command again."
        )


def _certify(
    context: Context, record: Mapping[str, Any], rows: Mapping[str, int]
) -> ErasureRequest:
    """Write and record the certificate of the move, unless that is done; return its row of the journal."""
    lake, key = context.lake, context.pseudonyms.certificates
    name = record[CERTIFICATE]
    journal = request_journal.read(lake, key)
    request = f"{REKEY}-{name[:8]}"
    if request in journal.last:
        return journal.last[request]
    moved = ErasureRequest(
        request, ErasureState.CERTIFIED, REKEY, "", name, context.now, entry=0, counts=dict(rows)
    )
    found = SearchResult(deep=False)
    for each in lake.files.stored():
        found.count_file("lake", each.size)
    places = {"lake": lake.files.root}
    sha256 = certificate.write(lake, moved, found, places=places, key=key)
    fault_points.at("rekey: certificate written")
    return request_journal.reach(
        lake,
        moved,
        ErasureState.CERTIFIED,
        at=context.now,
        key=key,
        certificate_sha256=sha256,
    )
