"""The command `audit`: it answers what the lake held on a subject or of a photo, and when, without Spark."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rich.console import Console

from cli.command import Words
from cli.lake_access import existing_lake
from cli.output import audit_table
from cli.output.sentences import say
from conf.errors import BadInput
from conf.settings import Settings
from lake import lake_format
from lake.subject_paths import check_subject
from lake.time_texts import utc_time
from privacy import near_names
from privacy.audit import audit_log, auditor
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion


def run(words: Words, settings: Settings, console: Console) -> None:
    """Answer the question on the screen and as JSON, and record the question in the lake.

    Raises BadInput for a time in the future, for a version or table that never existed and for a missing key,
    and Refused where the lake was made with another key.
    """
    files = existing_lake(settings)
    keys = lake_format.pseudonyms_of(files, settings.subjects)
    if words.subject is not None:
        check_subject(words.subject, keys.names)
    asked = question(words)
    if asked.photo is not None:
        asked = replace(asked, photo=auditor.photo_named(files.root, asked.photo))
    answer = Auditor(files, keys, settings.paths.landing).answer(asked)
    if asked.subject is not None:
        near = near_names.told(files.root, settings.paths.landing, asked.subject, keys)
        answer = replace(answer, near=near)
    lake_format.check_key(files, keys)
    audit_table.show(console, answer)
    name = audit_log.record(files, answer, pseudonyms=keys)
    say(console, f"recorded as {files.uri(f'{audit_log.FOLDER}/{name}.json')}")
    if words.json:
        try:
            Path(words.json).write_text(audit_log.as_json(answer))
        except OSError as error:
            raise BadInput(
                f"--json {words.json} can't be written ({error.strerror}); name another file."
            ) from None


def question(words: Words) -> AuditQuestion:
    """Return the question that the words of the command line ask. Raises BadInput."""
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
    """Return the time that an ISO 8601 text names. Raises BadInput for any other text.

    A time without a zone is in UTC. A date alone stands for the end of that day.
    """
    try:
        return utc_time(text)
    except ValueError:
        raise BadInput(
            f"--at {text} is no time; write it as 2026-03-01T12:00:00 (UTC), or as a date."
        ) from None


def _parsed_version(text: str) -> tuple[str, int]:
    """Return the name of the table and the number of the version in TABLE=N. Raises BadInput."""
    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise BadInput(f"--version {text}: write it as TABLE=N, such as silver/embeddings=3.")
    return name, int(number)
