"""Erasure: a subject leaves every place, in the states of `privacy.erasures`, and a certificate says so.

Each step can be done again: it finds what is left of its work and goes on. Keys reach the tables as frames.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import functions as F
from rich.console import Console

import bronze.layer
import gold.layer
import gold.training
import silver.layer
from conf.errors import BadInput, LeftBehind, Pending
from conf.settings import Settings
from expectations.gate import SuiteGate
from gold import departure, models, refit
from lake import catalog, faults, session
from lake.chunks import Chunk
from lake.chunks import State as ChunkState
from lake.journal import LayerRun
from lake.keys import Keys
from lake.lake import Lake, counts
from privacy import certificate, erasures, objects, storage, tombstones, verification
from privacy.erasures import IMMEDIATE, Erasure, State
from privacy.holdings import Holdings
from privacy.objects import Known
from privacy.wanted import Wanted

LAYER = "erase"
AT_ONCE = (catalog.MODELS, catalog.MOMENTS)
"""Tables whose older versions hold what was fitted on the erased rows: they go with the due date, whatever
the retention."""


@dataclass(frozen=True)
class Desk:
    """What an erasure works with; `now` is the time by which things are due."""

    lake: Lake
    settings: Settings
    keys: Keys
    console: Console
    did: LayerRun
    now: datetime

    @property
    def gate(self) -> SuiteGate:
        """The gate for what is fitted anew."""
        return SuiteGate(self.lake, self.settings.gates)

    def wanted(self, erasure: Erasure) -> Wanted:
        """What a request looks for."""
        held = tombstones.holding(self.lake, now=self.now)
        return Wanted.of(erasure, keys=self.keys, tombstones=held)


def erase(desk: Desk, *, subject: str, request: str, mode: str) -> Erasure:
    """Takes a request as far as it can go now, from wherever it stands; returns it.

    Raises BadInput (the request is another subject's), Pending (files are due later), LeftBehind (something
    could not be deleted, or was found), Blocked, Busy.
    """
    lake = desk.lake
    pseudonym = desk.keys.subject(subject)
    tombstone = desk.keys.tombstone(pseudonym)
    found = erasures.last(lake).get(request)
    if found is not None and found.subject != tombstone:
        raise BadInput(
            f"The request {request} was made for another subject; give this one an id of its own."
        )
    if found is None:
        found = Erasure(
            request, State.REQUESTED, mode, tombstone, secrets.token_hex(16), desk.now, 0
        )
        found = erasures.reach(lake, found, State.REQUESTED, at=desk.now)
    elif mode == IMMEDIATE and not found.has_reached(State.CERTIFIED):
        due = found.due_at and min(found.due_at, desk.now)
        found = replace(found, mode=mode, due_at=due)
    if not found.has_reached(State.LOGICAL):
        found = _fence(desk, found, pseudonym)
        found = _leave(desk, found, pseudonym)
    return go_on(desk, found)


def go_on(desk: Desk, erasure: Erasure) -> Erasure:
    """A request whose rows are gone: files, verification, certificate. Raises as `erase`."""
    if not erasure.has_reached(State.CERTIFIED) and not erasure.is_due(desk.now):
        assert erasure.due_at is not None
        place = certificate.write(desk.lake, erasure, None, places=_places(desk))
        raise Pending(
            f"The rows are gone; files of earlier versions hold them until "
            f"{certificate.told(erasure.due_at)}: run again after that, with any command that writes, to "
            f"finish. What is due stands in {place}."
        )
    looked = None
    if not erasure.has_reached(State.VERIFIED):
        erasure = _free(desk, erasure)
    if not erasure.has_reached(State.CERTIFIED):
        looked = _verified(desk, erasure)
        erasure = erasures.reach(desk.lake, erasure, State.VERIFIED, at=desk.now)
        certificate.write(desk.lake, erasure, looked, places=_places(desk))
        faults.at("erase: certificate written")
        erasure = erasures.reach(desk.lake, erasure, State.CERTIFIED, at=desk.now)
    return erasure


def finish_due(desk: Desk) -> list[Erasure]:
    """Finishes every request whose files may go by now. Raises as `erase`, but for Pending."""
    return [go_on(desk, erasure) for erasure in erasures.due(desk.lake, now=desk.now)]


# REQUESTED → FENCED


def _fence(desk: Desk, erasure: Erasure, pseudonym: str) -> Erasure:
    """Tombstones of the subject and of every photo's bytes, after what is half published is whole."""
    lake = desk.lake
    _finish_half_published(desk)
    held = Holdings.of(lake, pseudonym=pseudonym, photo_ids=erasure.photo_ids)
    hashes = held.hashes(desk.keys.originals)
    photos = {desk.keys.tombstone(original) for original in hashes}
    faults.at("erase: before tombstones")
    tombstones.make(lake, erasure.request, subject=erasure.subject, photos=photos, now=desk.now)
    faults.at("erase: tombstones made")
    versions = {table.name: lake.version(table) for table in catalog.TABLES}
    return erasures.reach(
        lake,
        erasure,
        State.FENCED,
        at=desk.now,
        photo_ids=held.photo_ids,
        counts=_most(erasure.counts, held.rows() | held.fitted()),
        versions_before=erasure.versions_before or versions,
    )


def _most(*found: Mapping[str, int]) -> dict[str, int]:
    """Of each count the largest: a step that is done again finds less."""
    most: Counter[str] = Counter()
    for each in found:
        most |= Counter(each)
    return dict(most)


def _finish_half_published(desk: Desk) -> None:
    """Of such a chunk one table may have the rows and another not: no later number may go before them."""
    lake, did = desk.lake, desk.did
    bronze.layer.finish(lake, did=did)
    silver.layer.finish(lake, weights_id="", gate=desk.gate, did=did)
    gold.layer.finish(lake, "", gate=desk.gate, did=did)
    for weights_id in sorted({c.model for c in lake.ledger.chunks().values() if c.weights_id}):
        gold.training.finish(lake, weights_id, did=did)


# FENCED → LOGICAL


def _leave(desk: Desk, erasure: Erasure, pseudonym: str) -> Erasure:
    """Landing objects go first, as bronze/objects tells which are copies; then rows, table by table."""
    lake = desk.lake
    wanted = desk.wanted(erasure)
    swept = objects.sweep(desk.settings.paths.landing, wanted, Known.of(lake, wanted))
    faults.at("erase: landing objects gone")
    held = Holdings.of(lake, pseudonym=pseudonym, photo_ids=erasure.photo_ids)
    for chunk in held.staged():
        lake.ledger.abandon(chunk)
    faults.at("erase: staged rows gone")
    departure.depart(lake, held.pairs())
    faults.at("erase: departed")
    for table, column in held.TABLES:
        rows = counts(held.rows_of(table, column), "chunk")
        if rows:
            [chunk] = lake.ledger.plan([Chunk(0, LAYER, ChunkState.PLANNED)])
            within = f"held.chunk between {min(rows)} and {max(rows)}"
            keys = held.keys(column)
            lake.remove(table, keys, on=[column], within=within, chunk=chunk)
            faults.at(f"erase: {table.name} gone")
    _recount_bronze(lake)
    faults.at("erase: chunks counted")
    return erasures.reach(
        lake,
        erasure,
        State.LOGICAL,
        at=desk.now,
        counts=_most(erasure.counts, {"landing": erasure.counts.get("landing", 0) + swept.removed}),
        versions_after={table.name: lake.version(table) for table in catalog.TABLES},
        due_at=desk.now if _is_due_at_once(desk, erasure) else _after_retention(desk, desk.now),
    )


def _is_due_at_once(desk: Desk, erasure: Erasure) -> bool:
    """Where nothing was held, nothing is left for a later date, unless an earlier request left it."""
    if erasure.mode == IMMEDIATE:
        return True
    if erasure.photo_ids:
        return False
    wanted = desk.wanted(erasure)
    return not verification.verify(desk.lake, desk.settings, erasure, wanted).residues


def _recount_bronze(lake: Lake) -> None:
    rows = counts(lake.read(catalog.PHOTOS), "chunk")
    published = [c for c in lake.ledger.chunks().values() if c.layer == "bronze" and c.is_published]
    lake.ledger.recount({chunk.number: rows.get(chunk.number, 0) for chunk in published})


def _after_retention(desk: Desk, at: datetime) -> datetime:
    """When the files that a commit of now removed are older than the retention."""
    retention = desk.settings.delta.deleted_file_retention
    moment = F.lit(at) + F.expr(f"interval {retention}")
    row = desk.lake.spark.range(1).select(moment.alias("due")).collect()[0]
    due: datetime = row["due"]
    return due.astimezone(UTC)


# LOGICAL → PHYSICAL


def _free(desk: Desk, erasure: Erasure) -> Erasure:
    """Models that never saw the photos, and no file that a version of before needs."""
    lake = desk.lake
    _refit(desk, erasure)
    wanted = desk.wanted(erasure)
    swept = objects.sweep(desk.settings.paths.landing, wanted, Known.of(lake, wanted))
    left = [path for path in swept.left if not objects.is_of_others(path)]
    lake.ledger.drop_abandoned()
    _redact_audits(lake, wanted)
    lake.spark.catalog.clearCache()
    left += map(str, session.sweep())
    faults.at("erase: before vacuum")
    if (
        not erasure.is_of_nothing
        or verification.verify(lake, desk.settings, erasure, wanted).residues
    ):
        left += map(str, _vacuumed(desk, erasure, wanted))
    faults.at("erase: vacuumed")
    if left:
        raise LeftBehind(
            f"{len(left):,} files could not be deleted: {', '.join(sorted(left))}. Give this process the "
            f"right to, and run the same command again: nothing is certified until then."
        )
    return erasures.reach(
        lake,
        erasure,
        State.PHYSICAL,
        at=desk.now,
        versions_after={table.name: lake.version(table) for table in catalog.TABLES},
    )


def _vacuumed(desk: Desk, erasure: Erasure, wanted: Wanted) -> Sequence[Path]:
    """What could not be deleted."""

    def holds_something(path: Path) -> bool:
        return verification.residue_in(path, wanted) is not None

    left: list[Path] = []
    for table in catalog.TABLES:
        if erasure.mode == IMMEDIATE or (table in AT_ONCE and erasure.fitted):
            left += storage.free(desk.lake, table, hours=0.0)
        else:
            left += storage.free(desk.lake, table, hours=_hours(desk), but_for=holds_something)
        faults.at("erase: a table vacuumed")
    return left


def _hours(desk: Desk) -> float:
    """What VACUUM is to keep: what is younger, by its own clock, than the retention by `now`."""
    retention = _after_retention(desk, desk.now) - desk.now
    ahead = desk.now - datetime.now(UTC)
    return max(0.0, (retention - ahead).total_seconds() / 3600)


def _refit(desk: Desk, erasure: Erasure) -> None:
    """A champion that never saw the photos in the place of one that did; then the old ones are wiped."""
    lake, settings = desk.lake, desk.settings
    for weights_id in sorted({c.model for c in lake.ledger.chunks().values() if c.weights_id}):
        gold.layer.finish(lake, weights_id, gate=desk.gate, did=desk.did)
    known = lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    rows = known.select("version", "kind", "status", "weights_id").collect()
    promoting = settings.refit.model_copy(update={"promote": True})
    for row in rows:
        if (row["kind"], row["status"]) == (models.PCA, models.CHAMPION):
            gold.layer.project(
                lake,
                row["weights_id"],
                settings.model_copy(update={"refit": promoting}),
                gate=desk.gate,
                console=desk.console,
                did=desk.did,
                reason=refit.ERASURE,
            )
        if (row["kind"], row["status"]) == (models.CLASSIFIER, models.CHAMPION):
            desk.did.notes.append(
                f"{row['version']} was fitted on erased photos and is wiped: run.py train fits another."
            )
    faults.at("erase: fitted anew")
    held = lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    if not held.isEmpty():
        nobody = Chunk(0, LAYER, ChunkState.PLANNED)
        lake.upsert(catalog.MODELS, models.wiped(held), keys=["version"], chunk=nobody)
    faults.at("erase: models wiped")


def _redact_audits(lake: Lake, wanted: Wanted) -> None:
    """Records of audits stay, but for what tells of the subject."""
    for name in lake.files.names("privacy/audits", suffix=".json"):
        content = lake.files.read(f"privacy/audits/{name}") or b""
        redacted = wanted.redacted(content)
        if redacted != content:
            lake.files.write(f"privacy/audits/{name}", redacted)


# PHYSICAL → VERIFIED


def _verified(desk: Desk, erasure: Erasure) -> verification.Looked:
    looked = verification.verify(desk.lake, desk.settings, erasure, desk.wanted(erasure))
    check(looked)
    return looked


def check(looked: verification.Looked) -> None:
    """Raises LeftBehind where something was found."""
    if looked.residues:
        raise LeftBehind(
            f"{len(looked.residues):,} things of the erased subject were found: "
            f"{'; '.join(map(str, looked.residues))}. Nothing is certified: remove them, and run the same "
            f"command again."
        )


def _places(desk: Desk) -> dict[str, str]:
    paths = desk.settings.paths
    return {
        "landing": str(Path(paths.landing).absolute()),
        "lake": desk.lake.files.root,
        "docs": str(Path(paths.docs_folder).absolute()),
        "working files": str(session.working_folder().parent),
    }
