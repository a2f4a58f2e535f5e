"""The pseudonyms and the secret behind them. The secret lies outside the lake, which has only its
fingerprint.

A pseudonym is an HMAC-SHA256 (RFC 2104). Each kind of pseudonym has a key of its own that is derived from the
secret, so that one kind can't be turned into another.

A lake may have imported the tombstones of another lake, which has another secret. It keeps each as a
tombstone of that tombstone: whoever asks whether a person is kept out makes the other lake's tombstone first.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from conf.errors import BadInput, BadSettings, Refused
from conf.secret_values import SUBJECT_KEY
from lake import aws
from lake.storage.addresses import is_s3, within
from lake.subject_names import NameRule

SMALLEST = 16
"""The fewest bytes that a secret may have."""


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """The pseudonyms of subjects, of landing paths and of photos' bytes. Each is 64 hex digits.

    `names` is the lake's rule for names: two spellings of one name have one pseudonym. `keys_photo_ids` says
    whether the ids of photos are made under the secret too, or can be calculated by everybody. `imported` are
    the pseudonyms of the lakes whose tombstones the lake has imported.
    """

    secret: bytes
    names: NameRule = field(default_factory=NameRule)
    keys_photo_ids: bool = True
    imported: tuple[Pseudonyms, ...] = ()

    def subject(self, name: str) -> str:
        """Return the pseudonym of a data subject, by any spelling of the name."""
        return self._subjects(os.fsencode(self.names.name(name)))

    def path(self, path: str) -> str:
        """Return the keyed hash of a path under the landing root."""
        return self._hmac("path", path)

    def tombstone(self, pseudonym: str) -> str:
        """Return the tombstone of a subject's pseudonym, or of the hash `original` of a photo's bytes.

        It keeps the subject or the photo out. The pseudonym or hash can't be calculated from it.
        """
        return self.tombstones(pseudonym.encode())

    def subject_tombstones(self, spellings: Iterable[str]) -> frozenset[str]:
        """Return every tombstone that keeps out a subject of one of these spellings, imported ones too."""
        spellings = frozenset(spellings)
        names = filter(self.names.name, spellings)
        own = {self.tombstone(self.subject(name)) for name in names}
        imported = {
            self.tombstone(tombstone)
            for each in self.imported
            for tombstone in each.subject_tombstones(spellings)
        }
        return frozenset(own | imported)

    @cached_property
    def photo_tombstones(self) -> PhotoTombstones:
        """What makes the tombstones of photos' bytes. Workers get it."""
        imported = tuple(each.photo_tombstones for each in self.imported)
        return PhotoTombstones(self.originals, self.tombstones, imported)

    @property
    def name_rules(self) -> frozenset[NameRule]:
        """The lake's rule for names, and those of the lakes whose tombstones it has imported."""
        return frozenset([self.names]).union(*(each.name_rules for each in self.imported))

    def makes_tombstones_of(self, other: Pseudonyms) -> bool:
        """Return whether tombstones of these pseudonyms and of the others are the same."""
        own, theirs = self.names, other.names
        is_one_rule = (own.version, own.folds_case) == (theirs.version, theirs.folds_case)
        return self.secret == other.secret and is_one_rule

    @cached_property
    def originals(self) -> KeyedHash:
        """The hash of photos' bytes. Workers get it, because it can make no other pseudonym."""
        return KeyedHash(self._derived("original"))

    @cached_property
    def photo_ids(self) -> PhotoIds:
        """What makes the ids of photos. Workers get it, because it can make no pseudonym."""
        return PhotoIds(self._derived("photo") if self.keys_photo_ids else None)

    @cached_property
    def tombstones(self) -> KeyedHash:
        """The hash that makes tombstones. Workers get it, because it can make no other pseudonym."""
        return KeyedHash(self._derived("tombstone"))

    @cached_property
    def certificates(self) -> KeyedHash:
        """The hash that authenticates certificates of erasure and the rows of their journal."""
        return KeyedHash(self._derived("certificate"))

    @cached_property
    def exports(self) -> KeyedHash:
        """The hash that authenticates files of exported tombstones."""
        return KeyedHash(self._derived("export"))

    @cached_property
    def _subjects(self) -> KeyedHash:
        return KeyedHash(self._derived("subject"))

    @property
    def fingerprint(self) -> str:
        """A text that differs between two secrets and reveals nothing about them."""
        return self._hmac("fingerprint", "")

    def _hmac(self, purpose: str, text: str) -> str:
        return KeyedHash(self._derived(purpose))(os.fsencode(text))

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self.secret, purpose.encode(), "sha256")


@dataclass(frozen=True, repr=False)
class KeyedHash:
    """A function that returns the HMAC-SHA256 of bytes under one key, as 64 hex digits."""

    key: bytes

    def __call__(self, content: bytes) -> str:
        """Return the hash of bytes, 64 hex digits."""
        return hmac.digest(self.key, content, "sha256").hex()


@dataclass(frozen=True, repr=False)
class PhotoIds:
    """What makes the ids of photos. Without a `key`, everybody can calculate them."""

    key: bytes | None

    def of(self, content: bytes, *, subject: str | None) -> str:
        """Return the hash of the subject's pseudonym (if any) and the bytes as they arrived, 64 hex
        digits."""
        named = (subject or "").encode() + content
        if self.key is None:
            return hashlib.sha256(named).hexdigest()
        return KeyedHash(self.key)(named)


@dataclass(frozen=True, repr=False)
class PhotoTombstones:
    """What makes the tombstones of photos' bytes, and can make no pseudonym of a person."""

    originals: KeyedHash
    tombstones: KeyedHash
    imported: tuple[PhotoTombstones, ...] = ()

    def of(self, content: bytes, original: str) -> Iterator[str]:
        """Yield every tombstone that keeps these bytes out: the lake's own, and those that were imported.

        `original` is the hash of the bytes by `originals`.
        """
        yield self.tombstones(original.encode())
        for each in self.imported:
            for tombstone in each.of(content, each.originals(content)):
                yield self.tombstones(tombstone.encode())


def load(
    reference: str,
    *,
    lake: str,
    make: bool,
    setting: str = SUBJECT_KEY,
    environment: Mapping[str, str] = os.environ,
) -> Pseudonyms:
    """Return the pseudonyms under the secret that `reference`, a value of a `setting`, names.

    A reference is `env:NAME`, `aws-secret:ARN`, or `file:PATH` with `{lake}` for the lake's root. With
    `make`, which says that the lake is new, a key file that doesn't exist is made with mode 0600. Raises
    BadSettings where the reference has another form, BadInput where the secret is missing, too short or can't
    be read, and Refused where the file lies inside the lake.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        secret = environment.get(name, "").encode()
        if not secret:
            raise BadInput(f"{setting}: the environment variable {name} is not set; set it.")
    elif kind == "aws-secret":
        secret = _from_aws(name, setting=setting)
    elif kind == "file" and is_s3(lake) and "{lake}" in name:
        raise BadSettings(
            f"{setting} = {reference!r}: a key file can't lie beside a lake in S3; write file:PATH with "
            f"a path on this machine, env:NAME or aws-secret:ARN."
        )
    elif kind == "file":
        secret = _from_file(_path(name, lake), lake=lake, make=make, setting=setting)
    else:
        raise BadSettings(
            f"{setting} = {reference!r}: write env:NAME, aws-secret:ARN or file:PATH."
        )
    if len(secret) < SMALLEST:
        raise BadInput(f"{setting}: {reference} has under {SMALLEST} bytes; use a longer secret.")
    return Pseudonyms(secret)


def key_file(reference: str, *, lake: str) -> Path | None:
    """Return the key file that `reference` names for a lake, as `load` reads it; None for other places."""
    kind, _, name = reference.partition(":")
    return _path(name, lake) if kind == "file" else None


def _path(name: str, lake: str) -> Path:
    return Path(name.format(lake=lake.rstrip("/")))


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
    if not make and not path.exists():
        of = f"the lake {lake} was made with" if setting == SUBJECT_KEY else f"{setting} names"
        raise BadInput(f"The key file {path} is missing; put back the one that {of}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise BadInput(
            f"The key file {path} can't be made ({error.strerror}); name another for {setting}."
        ) from None
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
        raise BadInput(
            f"The key file {path} can't be read ({error.strerror}); grant the right to read it."
        ) from None
