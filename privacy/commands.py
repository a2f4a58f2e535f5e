"""The commands of privacy, which run.py mounts."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from conf.errors import BadInput
from conf.settings import Settings
from lake import keys
from lake.files import Folder
from lake.lake import Lake
from privacy import audit, records, screen
from privacy.audit import Auditor, Question

PHOTO_ID = re.compile("[0-9a-f]{64}")


def audit_command(
    words: argparse.Namespace, settings: Settings, console: Console, *, files: Folder
) -> None:
    """What the lake held on a subject or of a photo: on screen, as JSON, and recorded in the lake.

    Raises BadInput (no such time, version or table; a key that is missing), Refused (another key).
    """
    held = keys.load(settings.subjects.key, lake=files.root, make=False)
    Lake.check(files, keys=held)
    answer = Auditor(files, held).answer(_question(words))
    screen.show(console, answer)
    name = records.record(files, answer, keys=held)
    console.print(f"recorded as {files.uri(f'{records.FOLDER}/{name}.json')}", soft_wrap=True)
    if words.json:
        try:
            Path(words.json).write_text(records.as_json(answer))
        except OSError as error:
            raise BadInput(
                f"--json {words.json} can't be written ({error.strerror}); name another file."
            ) from None


def _question(words: argparse.Namespace) -> Question:
    """What the words of the command line ask. Raises BadInput."""
    if words.photo is not None and not PHOTO_ID.fullmatch(words.photo):
        raise BadInput(f"--photo {words.photo} is no photo_id: it has 64 hex digits.")
    table, version = None, None
    if words.version is not None:
        name, version = _parsed_version(words.version)
        table = audit.named(name)
    return Question(
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
