"""Whom the words of `erase` and `lift` name: a subject, or one photo."""

from __future__ import annotations

from cli.command import Words
from lake import lake_format
from lake.storage.folder import Folder
from lake.subject_paths import check_subject
from privacy.audit import auditor


def photo_of(words: Words, files: Folder) -> str | None:
    """Return the photo_id of the photo that the words name; None where they name a subject.

    Raises BadInput where the subject's name is none under the rule of the lake under `files`, and where no
    photo of the lake has an id that begins so, or several have.
    """
    if words.subject is not None:
        check_subject(words.subject, lake_format.name_rule(files))
        return None
    return auditor.photo_named(files.root, words.photo)
