"""Audits as JSON: the whole answer for the one who asks, and the record of the question in the lake."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from conf.errors import BadInput
from lake.pseudonyms import Pseudonyms
from lake.run_journal import code_revision
from lake.storage.folder import Folder
from privacy.audit.auditor import Audit
from privacy.audit.table_findings import AuditQuestion

FOLDER = "privacy/audits"
KEY = "key"
"""The key under which a record has the fingerprint of the lake's key, under which its tombstone was made."""

TIME = "%Y%m%dT%H%M%SZ"
"""The format of the time (UTC) with which the file name of a record begins."""


def as_json(audit: Audit) -> str:
    """Return the whole answer as JSON. It names the subject or the photo that was asked about.

    Times are in ISO 8601, with their offset from UTC.
    """
    answer = asdict(audit) | {"question": _question(audit.question)}
    return json.dumps(answer, indent=2, default=_plain, ensure_ascii=False) + "\n"


def _question(question: AuditQuestion) -> dict[str, Any]:
    """Return the fields of a question, with the name of the table in the place of the table."""
    table = question.table.name if question.table else None
    return {**vars(question), "table": table}


def _plain(value: Any) -> Any:
    """Return a time as JSON writes it. Raises TypeError for a value of any other type."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} can't be written in an audit")


def asked_at(name: str) -> datetime:
    """Return the time (UTC) of the question that is recorded under a file name."""
    return datetime.strptime(name.partition("-")[0], TIME).replace(tzinfo=UTC)


def record(files: Folder, audit: Audit, *, pseudonyms: Pseudonyms) -> str:
    """Record the question and the statuses that answer it under privacy/audits; return the record's id.

    The subject or photo in question is kept as its tombstone: the record holds neither a name, nor a
    pseudonym, nor a photo id. Raises BadInput where it can't be written.
    """
    question = audit.question
    subject_or_photo = question.photo or pseudonyms.subject(question.subject or "")
    kind = "photo" if question.photo else "subject"
    name = f"{audit.asked_at.astimezone(UTC):{TIME}}-{secrets.token_hex(4)}"
    content = {
        "id": name,
        "asked_at": audit.asked_at,
        "about": {kind: pseudonyms.tombstone(subject_or_photo)},
        KEY: pseudonyms.fingerprint,
        "when": {
            key: value
            for key, value in _question(question).items()
            if key not in ("subject", "photo") and value not in (None, False)
        },
        "answer": {each.table: f"{each.status} ({each.rows})" for each in audit.findings},
        "code_revision": code_revision(),
    }
    try:
        text = json.dumps(content, indent=2, default=_plain) + "\n"
        files.write(f"{FOLDER}/{name}.json", text.encode())
    except OSError as error:
        raise BadInput(
            f"The audit can't be recorded in {files.uri(FOLDER)} ({error.strerror or error}): grant "
            f"permission to write there."
        ) from None
    return name
