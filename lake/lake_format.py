"""lake.json: the file that makes a folder a lake. It tells the format, and the key that it was made with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from conf.errors import BadInput, Refused
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import Folder

NAME = "lake.json"

FORMAT = 4
"""The format of a lake's tables and files. A lake of another format is refused."""


def is_made(files: Folder) -> bool:
    """Whether there is a lake under the folder."""
    return files.exists(NAME)


def check_format(files: Folder) -> Mapping[str, Any] | None:
    """The values of lake.json; None where there is no lake yet. Raises BadInput for another format."""
    values: Mapping[str, Any] | None = files.read_json(NAME)
    if values and values["format"] != FORMAT:
        which, do = "a later", "update the code"
        if values["format"] < FORMAT:
            which, do = "an earlier", "ingest the photos into a new lake"
        raise BadInput(
            f"The lake {files.root} was written by {which} version of this product "
            f"(format {values['format']}, this one knows {FORMAT}); {do}."
        )
    return values


def check(files: Folder, *, pseudonyms: Pseudonyms) -> None:
    """Raises BadInput for a lake of another format, Refused for one that was made with another key."""
    values = check_format(files)
    if values and values["key"] != pseudonyms.fingerprint:
        raise Refused(
            f"The lake {files.root} was made with another key than subjects.key names: pseudonyms would "
            f"not match; give the key that it was made with."
        )


def write(files: Folder, *, pseudonyms: Pseudonyms) -> None:
    """Makes the folder a lake, of today's format and with this key."""
    values = {
        "format": FORMAT,
        "key": pseudonyms.fingerprint,
        "made_at": datetime.now(UTC).isoformat(),
    }
    files.write(NAME, json.dumps(values).encode())
