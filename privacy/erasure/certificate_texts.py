"""What all certificates of a kind say: what was asked for, how it was done, and what is not covered."""

from __future__ import annotations

from collections.abc import Sequence

from lake.enums import REKEY
from privacy.erasure.erasure_request import ErasureRequest

METHOD = (
    "tombstones keep out the subject, and copies of the photos that arrive without a subject",
    "the subject's landing objects and folders were deleted",
    "rows were deleted from every table by MERGE against keys, so that no log of a table holds a value",
    "what the photos had added to the moments was subtracted, and the moments moved to a new shift",
    "PCA and classifier versions that were fitted on the photos, by the lineage of chunks, lost their "
    "parameters, also those of retired models, and champions were fitted anew; so did versions for which the "
    "lineage can't exclude it, which are counted as possibly fitted",
    "old files were found by comparing the storage with each table's current version, and removed; in mode "
    "deferred those that VACUUM says no version within the retention needs, and those that hold anything of "
    "the subject",
    "the storage was listed; the columns with keys and with text of every Parquet file were read, whether a "
    "version refers to the file or not, and the bytes of every other file, also unpacked where it is gzip, "
    "zstd, LZ4 or a stream of Spark's LZ4 blocks",
    "in them the photo ids, the pseudonym, and the name behind the word subject were searched, in UTF-8, "
    "UTF-16 and Latin-1, percent-encoded, and escaped as in JSON and HTML; the bare name as a word, in the "
    "same forms and in any case, where name_in_clear says that the command knew it",
)
PHOTO_METHOD = (
    "tombstones keep out the photo where the same subject, or nobody, sends it, and copies without a subject",
    "landing objects with the photo's bytes, of the same subject or of none, were deleted; the same bytes "
    "under another subject are that subject's photo, and stayed",
)
"""The first lines of the method where one photo was erased."""

ASKED_SUBJECT, ASKED_PHOTO = "a subject", "one photo, with copies of its bytes without a subject"

NOT_COVERED = (
    "copies outside the stores named here: exports, backups, what a provider keeps",
    "photos that were encoded anew and sent without a subject",
    "landing objects whose paths look like a person's, but not certainly whose (uncertain_subject)",
    "names near this one, and the bare name in files, where exact is true: the command was told that they "
    "are somebody else's",
)

REKEY_METHOD = (
    "no name was needed: a pseudonym under the new key is the hash of the tombstone, under the earlier key, "
    "of the earlier pseudonym; tombstones follow by the same hashes, and ids of photos are made anew of the "
    "rows of bronze/photos",
    "every table with pseudonyms, ids of photos or tombstones was written anew in one commit; counts has the "
    "rows of each",
    "rows of the journal of erasures that were authentic under the earlier key bear an HMAC under the new "
    "one; certificates of before stay as they are, and the journal has their hashes",
    "records of audits have the tombstones of today; what was staged was given up, and is made again",
    "old files were found by comparing the storage with each table's current version, and removed; it was "
    "listed once more, and none was left",
)
"""How a lake moves to a new key."""

ASKED_REKEY = "a new key for the lake"

REKEY_NOT_COVERED = (
    "copies outside the lake: exports, reports, backups, what a provider keeps",
    "the earlier key itself: it is still needed to make pseudonyms, but no longer enough",
)
"""What a certificate of a move to a new key doesn't cover."""


def asked(request: ErasureRequest) -> str:
    """Return what was asked for."""
    if request.mode == REKEY:
        return ASKED_REKEY
    return ASKED_PHOTO if request.of_photo else ASKED_SUBJECT


def method(request: ErasureRequest) -> Sequence[str]:
    """Return how it was done, step by step."""
    if request.mode == REKEY:
        return REKEY_METHOD
    return (*PHOTO_METHOD, *METHOD[2:]) if request.of_photo else METHOD


def not_covered(request: ErasureRequest) -> Sequence[str]:
    """Return what the certificate doesn't cover."""
    return REKEY_NOT_COVERED if request.mode == REKEY else NOT_COVERED
