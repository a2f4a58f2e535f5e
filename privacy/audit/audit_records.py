"""An audit as records keep it, and what the lake itself remembers of it."""

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
TIME = "%Y%m%dT%H%M%SZ"
"""How the name of a record begins: with when it was asked."""


def as_json(audit: Audit) -> str:
    """The whole answer, times in ISO 8601 with their offset from UTC. It names whom it was asked about."""
    told_of = asdict(audit) | {"question": _question(audit.question)}
    return json.dumps(told_of, indent=2, default=_plain, ensure_ascii=False) + "\n"


def _question(question: AuditQuestion) -> dict[str, Any]:
    table = question.table.name if question.table else None
    return {**vars(question), "table": table}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an audit")


def asked_at(name: str) -> datetime:
    """When the audit was asked that is recorded under a file name."""
    return datetime.strptime(name.partition("-")[0], TIME).replace(tzinfo=UTC)


def record(files: Folder, audit: Audit, *, pseudonyms: Pseudonyms) -> str:
    """Writes that it was asked, and the statuses, under privacy/audits; returns its id.

    Whom it was about is kept as a tombstone is: neither the subject, nor its pseudonym, nor a photo id.
    Raises BadInput where it can't be written.
    """
    question = audit.question
    meant = question.photo or pseudonyms.subject(question.subject or "")
    name = f"{audit.asked_at.astimezone(UTC):{TIME}}-{secrets.token_hex(4)}"
    remembered = {
        "id": name,
        "asked_at": audit.asked_at,
        "about": {"photo" if question.photo else "subject": pseudonyms.tombstone(meant)},
        "when": {
            key: value
            for key, value in _question(question).items()
            if key not in ("subject", "photo") and value not in (None, False)
        },
        "answer": {found.table: f"{found.status} ({found.rows})" for found in audit.findings},
        "code_revision": code_revision(),
    }
    try:
        content = json.dumps(remembered, indent=2, default=_plain) + "\n"
        files.write(f"{FOLDER}/{name}.json", content.encode())
    except OSError as error:
        raise BadInput(
            f"The audit can't be recorded in {files.uri(FOLDER)} ({error.strerror or error}): grant "
            f"permission to write there."
        ) from None
    return name
