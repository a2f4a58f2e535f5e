"""The key behind the pseudonyms. It lives outside the lake, which keeps only its fingerprint.

Pseudonyms are HMAC-SHA256 (RFC 2104) under keys derived from the one secret, a purpose each, so that
one kind of pseudonym can't be turned into another.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conf.errors import BadInput, BadSettings, Refused
from lake import aws
from lake.storage.addresses import is_s3, within

SMALLEST = 16
"""Bytes of secret below which a key is refused."""


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """Pseudonyms of subjects, of landing paths and of bytes: 64 hex digits each."""

    secret: bytes

    def subject(self, name: str) -> str:
        """The pseudonym of a data subject."""
        return self._hmac("subject", name)

    def path(self, path: str) -> str:
        """The keyed hash of a path under the landing root."""
        return self._hmac("path", path)

    def tombstone(self, pseudonym: str) -> str:
        """What keeps out whom, or what, a pseudonym or a photo's `original` stands for. Neither can be had
        from it."""
        return self.tombstones(pseudonym.encode())

    @property
    def originals(self) -> KeyedHash:
        """What hashes the bytes of photos, and can nothing else: workers get it."""
        return KeyedHash(self._derived("original"))

    @property
    def tombstones(self) -> KeyedHash:
        """What makes a tombstone, and can nothing else: workers get it."""
        return KeyedHash(self._derived("tombstone"))

    @property
    def fingerprint(self) -> str:
        """Tells two secrets apart without telling anything of either."""
        return self._hmac("fingerprint", "")

    def _hmac(self, purpose: str, text: str) -> str:
        return KeyedHash(self._derived(purpose))(os.fsencode(text))

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self.secret, purpose.encode(), "sha256")


@dataclass(frozen=True, repr=False)
class KeyedHash:
    """HMAC-SHA256 under one key: 64 hex digits."""

    key: bytes

    def __call__(self, content: bytes) -> str:
        return hmac.new(self.key, content, hashlib.sha256).hexdigest()


def load(
    reference: str, *, lake: str, make: bool, environment: Mapping[str, str] = os.environ
) -> Pseudonyms:
    """The keys that `reference` names: `env:NAME`, `aws-secret:ARN`, or `file:PATH` with `{lake}` for the
    lake root.

    A key file that doesn't exist is made, with mode 0600, where `make` says that the lake is new.
    Raises BadSettings (another form), BadInput (unset, missing, too short, unreadable), Refused (inside
    the lake).
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        secret = environment.get(name, "").encode()
        if not secret:
            raise BadInput(f"subjects.key: the environment variable {name} is not set; set it.")
    elif kind == "aws-secret":
        secret = _from_aws(name)
    elif kind == "file" and is_s3(lake) and "{lake}" in name:
        raise BadSettings(
            f"subjects.key = {reference!r}: a key file can't lie beside a lake in S3; write file:PATH on "
            f"this machine, env:NAME or aws-secret:ARN."
        )
    elif kind == "file":
        secret = _from_file(Path(name.format(lake=lake.rstrip("/"))), lake=lake, make=make)
    else:
        raise BadSettings(
            f"subjects.key = {reference!r}: write env:NAME, aws-secret:ARN or file:PATH."
        )
    if len(secret) < SMALLEST:
        raise BadInput(
            f"subjects.key: {reference} holds under {SMALLEST} bytes; use a longer secret."
        )
    return Pseudonyms(secret)


def _from_aws(arn: str) -> bytes:
    """A secret of AWS Secrets Manager, by its ARN, which names its region. Never made here: who may make it
    is the account's matter."""
    parts = arn.split(":")
    if parts[:1] != ["arn"] or parts[2:3] != ["secretsmanager"] or len(parts) < 7:
        raise BadSettings(f"subjects.key = 'aws-secret:{arn}': write the secret's whole ARN.")
    with aws.asking(f"the secret {parts[6]}"):
        found = aws.client("secretsmanager", parts[3]).get_secret_value(SecretId=arn)
    text: str | None = found.get("SecretString")
    return bytes(found["SecretBinary"]) if text is None else text.strip().encode()


def _from_file(path: Path, *, lake: str, make: bool) -> bytes:
    if within(str(path), lake):
        raise Refused(
            f"The key file {path} lies inside the lake that it protects; name another place."
        )
    if not make and not path.exists():
        raise BadInput(
            f"The key file {path} is missing; put back the one that the lake {lake} was made with."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise BadInput(f"The key file {path} can't be made ({error.strerror}).") from None
    secret = secrets.token_hex(32).encode()
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise BadInput(f"The key file {path} can't be read ({error.strerror}).") from None
