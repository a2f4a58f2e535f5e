"""What cutting gives: a clean photo, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class RejectionReason(StrEnum):
    """Why bytes are no photo. The values are stable: tables hold them."""

    EMPTY = "empty"
    NOT_A_PHOTO = "not_a_photo"
    MALFORMED = "malformed"


class NotAPhoto(ValueError):
    """A refusal. `detail` speaks of structure alone and holds nothing of the file's contents."""

    def __init__(self, reason: RejectionReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def malformed(detail: str) -> NotAPhoto:
    return NotAPhoto(RejectionReason.MALFORMED, detail)


@dataclass(frozen=True)
class CleanPhoto:
    """One photo. `format` is JPEG, PNG or WEBP; width and height in pixels, before orientation."""

    content: bytes
    format: str
    width: int
    height: int
    taken_on: date | None
