"""The commands of privacy, which run.py mounts: audit, erase, lift, retain, restore."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from rich.console import Console

from cli.tables import privacy_tables
from conf.errors import BadInput, Pending
from conf.settings import Settings
from lake import catalog, lake_json, pseudonyms
from lake.column_values import ErasureState
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.run_journal import LayerRun
from lake.storage.folder import Folder
from privacy import retention, tombstones
from privacy.audit import audit_records, auditor
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion
from privacy.erasure import certificate, request_journal, verification
from privacy.erasure.erase import check, erase, finish_due
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_search import SubjectSearch
from privacy.restore import named, restore

PHOTO_ID = re.compile("[0-9a-f]{64}")
COMMANDS = ("audit", "erase", "lift", "retain", "restore")


class Context(Protocol):
    """What `run.py` gives to a command that writes."""

    @property
    def settings(self) -> Settings: ...
    @property
    def lake(self) -> Lake: ...
    @property
    def keys(self) -> Pseudonyms: ...
    @property
    def console(self) -> Console: ...


Writing = Callable[[Settings, Console], AbstractContextManager[Context, bool | None]]
Reading = Callable[[Settings, Console], AbstractContextManager[Lake, bool | None]]


def run(
    words: argparse.Namespace,
    settings: Settings,
    console: Console,
    *,
    files: Folder,
    writing: Writing,
    reading: Reading,
) -> None:
    """One of `COMMANDS`, on the lake under `files`."""
    if words.command == "audit":
        audit_command(words, settings, console, files=files)
    elif words.command == "erase":
        erase_command(words, settings, console, writing=writing, reading=reading)
    elif words.command == "lift":
        lift_command(words, settings, console, writing=writing)
    elif words.command == "retain":
        retain_command(words, settings, console, writing=writing, reading=reading)
    else:
        restore_command(words, settings, console, writing=writing)


def audit_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, files: Folder
) -> None:
    """What the lake held on a subject or of a photo: on screen, as JSON, and recorded in the lake.

    Raises BadInput (no such time, version or table; a key that is missing), Refused (another key).
    """
    held = pseudonyms.load(settings.subjects.key, lake=files.root, make=False)
    lake_json.check(files, pseudonyms=held)
    answer = Auditor(files, held).answer(_question(words))
    privacy_tables.show(console, answer)
    name = audit_records.record(files, answer, keys=held)
    console.print(f"recorded as {files.uri(f'{audit_records.FOLDER}/{name}.json')}", soft_wrap=True)
    if words.json:
        try:
            Path(words.json).write_text(audit_records.as_json(answer))
        except OSError as error:
            raise BadInput(
                f"--json {words.json} can't be written ({error.strerror}); name another file."
            ) from None


def _question(words: argparse.Namespace) -> AuditQuestion:
    """What the words of the command line ask. Raises BadInput."""
    if words.photo is not None and not PHOTO_ID.fullmatch(words.photo):
        raise BadInput(f"--photo {words.photo} is no photo_id: it has 64 hex digits.")
    table, version = None, None
    if words.version is not None:
        name, version = _parsed_version(words.version)
        table = auditor.named(name)
    return AuditQuestion(
        subject=words.subject,
        photo=words.photo,
        at=_parsed_time(words.at) if words.at is not None else None,
        table=table,
        version=version,
        history=words.history,
    )


def _parsed_time(text: str) -> datetime:
    """A time as ISO 8601 has it; UTC where it names no zone. A date alone is its end. Raises BadInput."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"--at {text} is no time; write it as 2026-03-01T12:00:00 (UTC), or as a date."
        ) from None
    if len(text) <= len("2026-03-01"):
        time = time.replace(hour=23, minute=59, second=59, microsecond=999_999)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _parsed_version(text: str) -> tuple[str, int]:
    """TABLE=N. Raises BadInput."""
    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise BadInput(f"--version {text}: write it as TABLE=N, such as silver/embeddings=3.")
    return name, int(number)


def context(context: Context, did: LayerRun, *, now: datetime | None = None) -> Desk:
    """What an erasure works with, in a run that writes."""
    moment = now or datetime.now(UTC)
    return Desk(context.lake, context.settings, context.keys, context.console, did, moment)


def erase_command(
    words: argparse.Namespace,
    settings: Settings,
    console: Console,
    *,
    writing: Writing,
    reading: Reading,
) -> None:
    """Erases a subject, or looks again for what an erasure may have left. Raises as `erase`."""
    if words.verify:
        with reading(settings, console) as lake:
            verify(lake, settings, console, words.verify, deep=words.deep)
        return
    with writing(settings, console) as context, recorded(context, "erase") as did:
        done = erase(
            context(context, did), subject=words.subject, request=words.request, mode=words.mode
        )
        tell(console, context.lake, done)


def lift_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, writing: Writing
) -> None:
    """Lets a subject that was erased send photos again. Raises BadInput (it is not kept out, or a request of
    its own is not certified yet)."""
    with writing(settings, console) as context, recorded(context, "lift"):
        subject = context.keys.tombstone(context.keys.subject(words.subject))
        requests = request_journal.last(context.lake).values()
        if waiting := [
            e.request
            for e in requests
            if e.subject == subject and not e.has_reached(ErasureState.CERTIFIED)
        ]:
            raise BadInput(
                f"The request {waiting[0]} is not certified yet: its search would find what comes again. "
                f"Finish it with the same erase command first."
            )
        if not tombstones.lift(context.lake, subject, now=datetime.now(UTC)):
            raise BadInput("No tombstone keeps that subject out: there is nothing to lift.")
        console.print("lifted: what that subject sends from now on is taken in again.")


def retain_command(
    words: argparse.Namespace,
    settings: Settings,
    console: Console,
    *,
    writing: Writing,
    reading: Reading,
) -> None:
    """Removes what is past its longest age, and finishes erasures that are due; or says what would go.

    Raises LeftBehind.
    """
    if words.dry_run:
        with reading(settings, console) as lake:
            now = datetime.now(UTC)
            found = retention.passed(lake, settings, now=now)
            found += retention.old_files(lake, settings, now=now)
        privacy_tables.passed(console, found, "would go")
        return
    with writing(settings, console) as context, recorded(context, "retain") as did:
        retain(context, did)


def retain(context: Context, did: LayerRun, *, now: datetime | None = None) -> None:
    """What `retain` does. Raises Blocked, LeftBehind."""
    at = context(context, did, now=now)
    went = retention.expire(at)
    finish_step(context, did, now=now)
    went += retention.free(at)
    for each in went:
        did.add({each.place if each.unit == "rows" else f"{each.place}: {each.unit}": each.held})
    privacy_tables.passed(context.console, went, "went")


def restore_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, writing: Writing
) -> None:
    """Takes a table back to an earlier version. Raises as `restore`."""
    table = named(words.table)
    version = int(words.version)
    with writing(settings, console) as context, recorded(context, "restore") as did:
        done = restore(context(context, did), table, version)
        did.add({name: count for name, count in vars(done).items() if count})
        privacy_tables.restored(console, table, version, done)


@contextmanager
def recorded(context: Context, layer: str) -> Iterator[LayerRun]:
    """What a command did, to ops/runs, also where it fails; its notes to the screen."""
    did = LayerRun(layer)
    try:
        yield did
    except Exception as error:
        # A message may hold a path with a name in it: no table keeps it.
        pending = isinstance(error, Pending)
        did.finish("pending" if pending else "failed", error=type(error).__name__)
        # Where that fails too, as on a full disk, the first error is the one to tell.
        with suppress(Exception):
            context.lake.record(catalog.RUNS, [did.row(context.lake.run)], layer=layer)
        raise
    did.finish("done")
    context.lake.record(catalog.RUNS, [did.row(context.lake.run)], layer=layer)
    for note in did.notes:
        context.console.print(note, markup=False, soft_wrap=True)


def tell(console: Console, lake: Lake, erasure: ErasureRequest) -> None:
    """What a certified request came to."""
    place = lake.files.uri(f"{certificate.FOLDER}/{erasure.certificate}.json")
    held = ", ".join(
        f"{count:,} of {name}"
        for name, count in sorted(erasure.counts.items())
        if not name.startswith(request_journal.FITTED)
    )
    what = f"erased: {held}" if held else "nothing held"
    console.print(f"{erasure.request}: {what}.", markup=False, soft_wrap=True)
    console.print(f"certificate {erasure.certificate}: {place}", markup=False, soft_wrap=True)


def finish_step(context: Context, did: LayerRun, *, now: datetime | None = None) -> None:
    """Finishes the erasures that are due. Raises as `erase`."""
    for erasure in finish_due(context(context, did, now=now)):
        did.add({"erasures": 1})
        tell(context.console, context.lake, erasure)


def verify(lake: Lake, settings: Settings, console: Console, named: str, *, deep: bool) -> None:
    """Looks through every store again for what an erasure (a request, or a certificate) was of.

    Raises BadInput (there is none of that id), Pending (its files are due later), LeftBehind.
    """
    known = request_journal.last(lake)
    found = [e for e in known.values() if named in (e.request, e.certificate)]
    if not found:
        raise BadInput(
            f"There is no erasure {named}; the requests are {', '.join(sorted(known)) or 'none'}."
        )
    [erasure] = found
    held = tombstones.holding(lake)
    if erasure.subject not in held:
        raise BadInput(
            f"The tombstone of {erasure.request} was lifted or has expired: its subject may have sent photos "
            f"again, so nothing can be told from finding some. The certificate {erasure.certificate} stands."
        )
    own = pseudonyms.load(settings.subjects.key, lake=lake.files.root, make=False)
    wanted = SubjectSearch.of(erasure, keys=own, tombstones=held)
    looked = verification.verify(lake, settings, erasure, wanted, deep=deep)
    if erasure.due_at and not erasure.has_reached(ErasureState.PHYSICAL):
        raise Pending(
            f"{erasure.request} is pending until {certificate.told(erasure.due_at)}: "
            f"{len(looked.residues):,} things are left until then."
        )
    check(looked)
    if broken := certificate.broken_links(lake.files):
        console.print(
            f"Certificates whose predecessor was changed: {', '.join(broken)}.", markup=False
        )
    console.print(
        f"{erasure.request}: {sum(looked.files.values()):,} files, "
        f"{sum(looked.bytes.values()):,} bytes looked through{' and decoded' if deep else ''}; nothing of "
        f"it was found.",
        markup=False,
        soft_wrap=True,
    )
