"""The command `erase`: it removes a subject or a photo from every store, or searches for traces."""

from __future__ import annotations

from rich.console import Console

from cli.command import Words
from cli.erasable import photo_of
from cli.json_console import subject_on
from cli.lake_access import existing_lake, reading, writing
from cli.output.sentences import say
from cli.step_runner import recorded
from conf.errors import BadInput, Pending
from conf.identifiers import named
from conf.settings import Settings
from lake import lake_format
from lake.context import Context
from lake.enums import (
    ERASE,
    FITTED_PREFIX,
    POSSIBLY_FITTED_PREFIX,
    REKEY,
    ErasureMode,
    ErasureState,
)
from lake.readable_lake import Lake
from privacy import tombstones
from privacy.erasure import certificate, certificate_check, request_journal, verification
from privacy.erasure.completion import check, finish_due
from privacy.erasure.erase import erase
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.subject_matcher import matcher_of


def run(words: Words, settings: Settings, console: Console) -> None:
    """Erase a subject or a photo, or search again for what an erasure may have left.

    Raises as `privacy.erasure.erase.erase` and as `verify`.
    """
    if words.verify:
        with reading(settings, console) as lake:
            verify(lake, settings, console, words.verify, deep=words.deep)
        return
    photo = photo_of(words, existing_lake(settings))
    with writing(settings, console) as context, recorded(context, ERASE) as step:
        mode = ErasureMode(words.mode)
        say(console, understood(context, words, console, photo=photo))
        erasure = erase(
            step,
            subject=words.subject,
            photo=photo,
            request=words.request,
            mode=mode,
            is_exact=words.exact,
            acknowledges=words.acknowledge,
        )
        show(console, context.lake, erasure)


def understood(
    context: Context, words: Words, console: Console, *, photo: str | None = None
) -> str:
    """Return what an erasure removes, in full: it can't be undone. A log names nobody, and no photo."""
    what = "the photo" if photo else "the subject"
    who = subject_on(console, photo or words.subject)
    key = context.pseudonyms.certificates
    known = request_journal.last(context.lake, key).get(words.request)
    begun = f"which is {known.state}" if known else "a new one"
    return f"erasing {what} {who}: request {words.request}, {begun}, mode {words.mode}."


def finish_due_erasures(context: Context) -> None:
    """Complete the erasures whose old files may be removed by now, and show each.

    Raises as `privacy.erasure.completion.finish_due`.
    """
    for erasure in finish_due(context):
        context.did.add({"erasures": 1})
        show(context.console, context.lake, erasure)


def show(console: Console, lake: Lake, erasure: ErasureRequest) -> None:
    """Show what a certified request removed, and where its certificate is."""
    name = certificate.file_name(erasure, is_whole=True)
    place = lake.files.uri(f"{certificate.FOLDER}/{name}")
    removed = ", ".join(
        f"{count:,} of {name}"
        for name, count in sorted(erasure.counts.items())
        if not name.startswith((FITTED_PREFIX, POSSIBLY_FITTED_PREFIX))
    )
    what = f"erased: {removed}" if removed else "nothing held"
    say(console, f"{erasure.request}: {what}.")
    say(console, f"certificate {erasure.certificate}: {place}")
    body = certificate.read(lake.files.read(f"{certificate.FOLDER}/{name}") or b"") or {}
    if undecoded := (body.get("verification") or {}).get("undecoded"):
        count = sum(each["files"] for each in undecoded)
        kinds = ", ".join(sorted({each["what"] for each in undecoded}))
        say(
            console,
            f"{count:,} files could not be decoded ({kinds}); erase --verify {erasure.request} names them.",
        )
    if erasure.head:
        say(console, f"It is number {erasure.certificates}, and its SHA-256 is {erasure.head}.")


def verify(lake: Lake, settings: Settings, console: Console, name: str, *, deep: bool) -> None:
    """Search every store again for what an erasure removed.

    `name` is the id of its request or certificate, or the beginning of one. Raises BadInput where there is no
    erasure of that name or several, or its tombstone no longer holds, Pending where its old files are due
    later, LeftBehind where something is found, and Inconsistent where a certificate of the lake doesn't hold.
    """
    keys = lake_format.pseudonyms_of(lake.files, settings.subjects)
    last = request_journal.last(lake, keys.certificates)
    requests = {name: each for name, each in last.items() if each.mode != REKEY}
    by_name = {each.certificate: each for each in requests.values()} | requests
    otherwise = f"the requests are {', '.join(sorted(requests)) or 'none'}."
    erasure = by_name[named(name, by_name, what="erasure", otherwise=otherwise)]
    certificates = certificate_check.check(lake, keys.certificates)
    for fault in certificates.acknowledged:
        say(console, f"{fault}.")
    holding = tombstones.holding(lake)
    if erasure.subject not in holding:
        certificates.raise_faults()
        raise BadInput(
            f"The tombstone of {erasure.request} was lifted or has expired: what it kept out may have been "
            f"sent again, so what is found proves nothing. The certificate {erasure.certificate} is still "
            f"valid."
        )
    search = matcher_of(keys, erasure, holding)
    result = verification.verify(lake, settings, erasure, search, deep=deep)
    lake_format.check_key(lake.files, keys)
    if certificates.made_before:
        names = ", ".join(certificates.made_before)
        say(console, f"made before certificates were authenticated: {names}.")
    if erasure.due_at and not erasure.has_reached(ErasureState.PHYSICAL):
        certificates.raise_faults()
        raise Pending(
            f"{erasure.request} is pending until {certificate.iso_time(erasure.due_at)}: "
            f"{len(result.residues):,} traces of what was erased are left until then."
        )
    if result.residues:
        for fault in certificates.faults:
            say(console, f"certificate {fault}.")
    check(result)
    if result.undecoded:
        say(console, f"not decoded: {'; '.join(map(str, result.undecoded))}.")
    say(
        console,
        f"{erasure.request}: {sum(result.files.values()):,} files, "
        f"{sum(result.bytes.values()):,} bytes searched{' and decoded' if deep else ''}; nothing of it was "
        f"found.",
    )
    certificates.raise_faults()
