"""The commands of privacy: audit, erase, lift, tombstones, rekey, retain, restore."""

from __future__ import annotations

import re

from cli.command import Command, Words, lacking, whole_number
from cli.known_names import AUDITED_TABLES, RESTORED_TABLES
from cli.parameters import PATH, Argument, Flag, Option
from conf.errors import BadInput
from conf.identifiers import SHORTEST, SHOWN
from lake.enums import ErasureMode
from lake.subject_names import normalised
from lake.subject_paths import EMPTY, NAME_ALONE
from privacy.erasure.name_forms import NameForms

PHOTO_ID = re.compile(f"[0-9a-f]{{{SHORTEST},64}}")
"""A photo_id, or the beginning of one."""

SUBJECT = "as in the name of the folder subject=S"


def _check_audit(words: Words) -> None:
    if words.subject is None and words.photo is None:
        raise lacking("audit", "--subject S or --photo ID", "audit --subject anna --history")
    if words.subject is not None:
        _check_subject(words.subject)
    _check_photo(words.photo)


def _check_subject(subject: str) -> None:
    """Raises BadInput where no lake could have such a name. The command itself asks the lake's rule."""
    if not subject:
        raise BadInput(EMPTY)
    if "/" in subject:
        raise BadInput(NAME_ALONE)


def _check_photo(photo: str | None) -> None:
    """Raises BadInput where a text is neither a photo_id nor the beginning of one."""
    if photo is not None and not PHOTO_ID.fullmatch(photo):
        raise BadInput(
            f"--photo {photo} is no photo_id: give its 64 hex digits, or the first {SHORTEST} or more."
        )


def _check_erase(words: Words) -> None:
    if words.verify is not None:
        given = (words.subject, words.photo)
        others = (words.request, words.mode, words.exact, words.acknowledge)
        if any(each is not None for each in given) or any(others):
            raise BadInput(
                "--verify ID goes with no other option but --deep; leave the others out."
            )
        return
    if words.subject is not None:
        _check_subject(words.subject)
    _check_photo(words.photo)
    if not (words.subject or words.photo) or not words.request:
        raise lacking(
            "erase",
            "--subject S or --photo ID, and --request ID, or --verify ID",
            "erase --subject anna --request R-17",
        )
    if words.deep:
        raise BadInput("--deep goes with --verify ID; erase first, and verify with a second call.")
    if words.photo is not None:
        _check_erase_of_photo(words)
    elif len(normalised(words.subject)) > 1 and NameForms(words.subject).in_id(words.request):
        raise BadInput(
            "--request names the subject, and it is kept for good; give it a neutral id."
        )
    words.mode = words.mode or ErasureMode.DEFERRED


def _check_erase_of_photo(words: Words) -> None:
    """Raises BadInput where a photo's erasure is asked for with what goes with a name alone, or the request
    holds the photo's id."""
    if words.exact:
        raise BadInput(
            "--exact goes with --subject S; a photo has no name that others may stand near."
        )
    if len(words.photo) >= SHOWN and words.photo[:SHOWN] in words.request.lower():
        raise BadInput(
            "--request holds the photo's id, and it is kept for good; give it a neutral id."
        )


def _check_lift(words: Words) -> None:
    if words.subject is None and words.photo is None:
        raise lacking("lift", "--subject S or --photo ID", "lift --subject anna")
    _check_photo(words.photo)
    if words.subject is not None:
        _check_subject(words.subject)


def _check_restore(words: Words) -> None:
    whole_number(words, "version")


TOMBSTONES = (
    Command(
        name="export",
        help="write the tombstones that hold to a file",
        example=("tombstones export FILE", "write what keeps erased persons out to a file"),
        parameters=(Argument("file", "FILE", "where they go", type=PATH),),
    ),
    Command(
        name="import",
        help="keep out whom another lake has erased",
        example=("tombstones import FILE", "keep out whom another lake has erased"),
        parameters=(Argument("file", "FILE", "what export wrote", type=PATH),),
    ),
)

COMMANDS = (
    Command(
        name="audit",
        help="what the lake held on a subject or of a photo, and when",
        example=(
            "audit --subject anna --history",
            "what was held on anna, since when and until when",
        ),
        parameters=(
            Option("--subject", "S", SUBJECT, takes_blanks=True),
            Option("--photo", "ID", "a photo_id"),
            Option("--at", "TIME", "a time in ISO 8601, UTC; a date alone means its end"),
            Option(
                "--version",
                "TABLE=N",
                "one table at one version",
                offered=[f"{table}=" for table in AUDITED_TABLES],
            ),
            Flag("--history", "when rows came, and when they left"),
            Option("--json", "FILE", "write the whole answer there", type=PATH),
        ),
        exclusive=(("subject", "photo"), ("at", "version", "history")),
        check=_check_audit,
        takes_landing=True,
    ),
    Command(
        name="erase",
        help="remove a subject or one photo from every place, and certify it",
        example=(
            "erase --subject anna --request R-17",
            "the person's data is removed, with a certificate",
        ),
        parameters=(
            Option("--subject", "S", SUBJECT, takes_blanks=True),
            Option("--photo", "ID", "a photo_id: erase this one photo, with or without a subject"),
            Option("--request", "ID", "an id for the request, which names nobody"),
            Option(
                "--mode",
                "MODE",
                "deferred: old files go when the retention ends (default); immediate: at once",
                choices=tuple(ErasureMode),
            ),
            Flag(
                "--exact",
                "go on though something is near the name, or the bare name stands in files",
            ),
            Flag(
                "--acknowledge",
                "go on though another program changed certificates or their journal, which keeps that",
            ),
            Option("--verify", "ID", "search again for what a request erased"),
            Flag("--deep", "with --verify: decode every column"),
        ),
        exclusive=(("subject", "photo"),),
        check=_check_erase,
        takes_landing=True,
        erases=True,
    ),
    Command(
        name="lift",
        help="let a subject or a photo that was erased come again",
        example=("lift --subject anna", "anna may send photos again"),
        parameters=(
            Option("--subject", "S", SUBJECT, takes_blanks=True),
            Option("--photo", "ID", "a photo_id that was erased with erase --photo"),
        ),
        exclusive=(("subject", "photo"),),
        check=_check_lift,
    ),
    Command(
        name="tombstones",
        help="what keeps erased persons out, from one lake into another",
        example=("tombstones export FILE", "what keeps erased persons out, for another lake"),
        subcommands=TOMBSTONES,
    ),
    Command(
        name="rekey",
        help="give the lake a new key, and move all that was made under the earlier one",
        example=("rekey --new-key file:next.key", "every pseudonym and tombstone under a new key"),
        parameters=(
            Option(
                "--new-key",
                "PLACE",
                "its place, as in subjects.key: file:PATH (made if missing), env:NAME, aws-secret:ARN",
                required=True,
            ),
        ),
        erases=True,
    ),
    Command(
        name="retain",
        help="remove what is past its longest age, and old files",
        example=("retain --dry-run", "what is past its longest age and would be removed"),
        parameters=(Flag("--dry-run", "show what would be removed, and change nothing"),),
        takes_landing=True,
        erases=True,
    ),
    Command(
        name="restore",
        help="a table as it was at a version, without what was erased",
        example=(
            "restore --table silver/embeddings --version 7",
            "as it was, without erased persons",
        ),
        parameters=(
            Option(
                "--table",
                "TABLE",
                "such as silver/embeddings",
                required=True,
                offered=RESTORED_TABLES,
            ),
            Option("--version", "N", "the version to go back to", required=True),
        ),
        check=_check_restore,
    ),
)
