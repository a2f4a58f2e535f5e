"""The two results of removing metadata: a clean photo, or a refusal with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeVar

MOST_PARTS = 60_000
"""The most segments or chunks of a photo: 50 MB in pieces of 1 KiB. So many take 20 MB of memory."""

OVER_LIMIT = "over photos.max_bytes"
"""The detail of the refusal of a file for its bytes begins so."""

Part = TypeVar("Part")


class RejectionReason(StrEnum):
    """Why a file is refused as a photo. The values are stable, because tables hold them."""

    EMPTY = "empty"
    NOT_A_PHOTO = "not_a_photo"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    PARSER_CRASHED = "parser_crashed"
    PARSER_TIMEOUT = "parser_timeout"


class NotAPhoto(ValueError):
    """The refusal of a file. `detail` describes its structure and quotes nothing of its contents."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def malformed(detail: str) -> NotAPhoto:
    """Return the refusal of a file whose structure is broken in the way that `detail` says."""
    return NotAPhoto(RejectionReason.MALFORMED, detail)


def too_large(max_bytes: int) -> NotAPhoto:
    """Return the refusal of a file of more bytes than the setting photos.max_bytes allows."""
    return NotAPhoto(RejectionReason.TOO_LARGE, f"{OVER_LIMIT} ({max_bytes})")


def counted(parts: Iterable[Part], name: str) -> Iterator[Part]:
    """Yield the segments or chunks of a file, which `name` calls so in the refusal of a file of too many.

    Raises NotAPhoto (MALFORMED) behind the first `MOST_PARTS`.
    """
    for number, part in enumerate(parts):
        if number == MOST_PARTS:
            raise malformed(f"more than {MOST_PARTS:,} {name}")
        yield part


@dataclass(frozen=True)
class CleanPhoto:
    """A photo without private metadata.

    `format` is a name of `photo_formats`. `width` and `height` are in pixels, before the orientation is
    applied: that of EXIF, or of the boxes of HEIC and AVIF. `days` are those that the file has as capture
    dates, the one to prefer first; some may lie in the future.
    """

    content: bytes
    format: str
    width: int
    height: int
    days: tuple[date, ...]
