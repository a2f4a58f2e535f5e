"""Secrets, such as the one behind a lake's pseudonyms: where each lies, and how it is read or made."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from conf.errors import BadInput, BadSettings, Refused
from conf.secret_values import SUBJECT_KEY
from lake import aws
from lake.pseudonyms import Pseudonyms
from lake.storage.addresses import is_s3, within
from lake.storage.local_folder import sync_folder, write_through

SMALLEST = 16
"""The fewest bytes that a secret may have."""


def load(
    reference: str,
    *,
    lake: str,
    make: bool,
    setting: str = SUBJECT_KEY,
    environment: Mapping[str, str] = os.environ,
) -> Pseudonyms:
    """Return the pseudonyms under the secret that `reference`, a value of a `setting`, names. Raises as
    `secret` does."""
    return Pseudonyms(
        secret(reference, lake=lake, make=make, setting=setting, environment=environment)
    )


def secret(
    reference: str,
    *,
    lake: str,
    make: bool,
    setting: str,
    environment: Mapping[str, str] = os.environ,
) -> bytes:
    """Return the secret that `reference`, a value of a `setting` or of an option, names.

    A reference is `env:NAME`, `aws-secret:ARN`, or `file:PATH` with `{lake}` for the lake's root. With
    `make`, which says that the lake is new, a key file that doesn't exist is made with mode 0600. Raises
    BadSettings where the reference has another form, BadInput where the secret is missing, too short or can't
    be read, and Refused where the file lies inside the lake.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        found = os.fsencode(environment.get(name, ""))
        if not found:
            raise BadInput(f"{setting}: the environment variable {name} is not set; set it.")
    elif kind == "aws-secret":
        found = _from_aws(name, setting=setting)
    elif kind == "file" and is_s3(lake) and "{lake}" in name:
        raise BadSettings(
            f"{setting} = {reference!r}: a key file can't lie beside a lake in S3; write file:PATH with "
            f"a path on this machine, env:NAME or aws-secret:ARN."
        )
    elif kind == "file":
        found = _from_file(_path(name, lake), lake=lake, make=make, setting=setting)
    else:
        # Of an option it may be the secret itself, which belongs in no log.
        given = setting if setting.startswith("--") else f"{setting} = {reference!r}"
        raise BadSettings(f"{given}: write env:NAME, aws-secret:ARN or file:PATH.")
    if len(found) < SMALLEST:
        raise BadInput(f"{setting}: {reference} has under {SMALLEST} bytes; use a longer secret.")
    return found


def key_file(reference: str, *, lake: str) -> Path | None:
    """Return the key file that `reference` names for a lake, as `load` reads it; None for other places."""
    kind, _, name = reference.partition(":")
    return _path(name, lake) if kind == "file" else None


def _path(name: str, lake: str) -> Path:
    return Path(name.replace("{lake}", lake.rstrip("/")))


def _from_aws(arn: str, *, setting: str) -> bytes:
    """Return a secret of AWS Secrets Manager by its ARN, which also names its region.

    A missing secret is not made here, because the account decides who may make one. Raises BadSettings where
    the ARN is not whole, and the errors of `aws.asking`.
    """
    parts = arn.split(":")
    if parts[:1] != ["arn"] or parts[2:3] != ["secretsmanager"] or len(parts) < 7:
        raise BadSettings(f"{setting} = 'aws-secret:{arn}': write the whole ARN of the secret.")
    with aws.asking(f"the secret {parts[6]}"):
        found = aws.client("secretsmanager", parts[3]).get_secret_value(SecretId=arn)
    text: str | None = found.get("SecretString")
    return bytes(found["SecretBinary"]) if text is None else text.strip().encode()


def _from_file(path: Path, *, lake: str, make: bool, setting: str) -> bytes:
    """Return the secret in a key file; with `make`, a missing file is made first."""
    if within(str(path), lake):
        raise Refused(
            f"The key file {path} lies inside the lake that it protects; name a place outside."
        )
    of = f"the lake {lake} was made with" if setting == SUBJECT_KEY else f"{setting} names"
    if not make and not path.exists():
        raise BadInput(f"The key file {path} is missing; put back the one that {of}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path, make=make, of=of)
    except OSError as error:
        raise BadInput(
            f"The key file {path} can't be made ({error.strerror}); name another for {setting}."
        ) from None
    secret = secrets.token_hex(32).encode()
    with os.fdopen(handle, "wb") as file:
        write_through(file, secret)
    sync_folder(path.parent)
    return secret


def _read(path: Path, *, make: bool, of: str) -> bytes:
    """Return the secret in a key file that is there. Raises BadInput where it can't be read, and where it is
    empty: then a machine lost power while it was made, before anything was made with it, or somebody emptied
    it."""
    try:
        if found := path.read_bytes().strip():
            return found
        what = "delete it, and run again" if make else f"put back the one that {of}"
        raise BadInput(f"The key file {path} is empty; {what}.")
    except OSError as error:
        raise BadInput(
            f"The key file {path} can't be read ({error.strerror}); grant the right to read it."
        ) from None
