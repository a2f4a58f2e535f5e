"""The counts of a listing of the landing folder, for ops/runs, and what a run says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bronze.labels import Lack
from bronze.landing import ListingCounts
from conf.settings import LandingSettings
from lake import metric_names
from lake.run_journal import LayerRun

GONE = "gone"
"""The count of the objects of chunks that went, or changed, between the listing and the reading: they have no
row, and are not among those that came in."""


NEXT_RUN = "the next run"
"""The words for the run that looks at all objects again."""


def next_run(settings: LandingSettings) -> str:
    """Return the words for the run that looks at all objects again."""
    return f"{NEXT_RUN} that lists the whole landing folder" if settings.other_ways else NEXT_RUN


def measure_part(listing: ListingCounts, did: LayerRun, *, new: int) -> None:
    """Record that a run looked at some objects without a listing of the whole landing folder, and that so
    many of them are `new`. Further ones of the same run add up."""
    looked_at = listing.objects + listing.passed_over + listing.links
    for name, count in {metric_names.LOOKED_AT: looked_at, metric_names.FOUND_NEW: new}.items():
        did.measure(name, did.measured.get(name, 0) + count)


def measure(listing: ListingCounts, did: LayerRun, *, new: int, unreadable: int) -> None:
    """Record what became of the objects of a whole listing: so many are `new`, and so many that an earlier
    run could not read are still not taken in. The others are known, passed over, or links."""
    numbers = {
        metric_names.LISTED: listing.objects + listing.passed_over + listing.links,
        metric_names.NEW: new,
        metric_names.KNOWN: listing.objects - new - unreadable,
        metric_names.STILL_UNREADABLE: unreadable,
        metric_names.PASSED_OVER: listing.passed_over,
        metric_names.LINKS: listing.links,
    }
    for name, count in numbers.items():
        did.measure(name, count)


def note(
    listing: ListingCounts,
    root: str,
    did: LayerRun,
    *,
    is_whole: bool = True,
    next_run: str = NEXT_RUN,
) -> None:
    """Note what a listing of the landing folder under `root` did not find or take, and what to do."""
    if is_whole and not (
        listing.objects or listing.closed_folders or listing.passed_over or listing.links
    ):
        did.notes.append(f"{root} holds no objects: put photos there.")
    if listing.closed_folders:
        did.notes.append(
            f"{listing.closed_folders:,} folders under {root} can't be listed: give this "
            f"process the right to list them, and {next_run} takes in the photos in them."
        )
    if listing.passed_over:
        did.notes.append(
            f"{listing.passed_over:,} objects are passed over, as thumbnails or files of a system: "
            f"landing.passed_over names them, and run.py settings landing shows it."
        )
    if listing.links:
        did.notes.append(
            f"{listing.links:,} links or special files under {root} are not followed: put the photos "
            f"themselves there, or name the folder that a link leads to with --landing."
        )


UNLABELLED: Mapping[Lack, str] = {
    Lack.DATE: "their folder's name is a date or a number: let labels.source say where a label stands, or "
    "set labels.dates = true to take such names",
    Lack.UNTOLD: "labels.source finds none for their paths: mend the rule, or what it reads (run.py settings "
    "labels)",
    Lack.ILL_FORMED: "what is told has over 255 characters, or characters that can't be shown: give their "
    "folders other names, or join such spellings with labels.same",
}
"""Why objects have no label, and what to do about it."""


def note_unlabelled(lacks: Counter[Lack], did: LayerRun) -> None:
    """Note how many new objects have no label where that may be a mistake, by what is missing."""
    for lack, why in UNLABELLED.items():
        if lacks[lack]:
            did.notes.append(f"{lacks[lack]:,} new objects have no label, because {why}.")


def note_gone(did: LayerRun, *, next_run: str = NEXT_RUN) -> None:
    """Note how many objects went or changed between the listing and the reading."""
    if gone := did.counts.get(GONE):
        did.notes.append(
            f"{gone:,} objects went, or changed, after they were listed: {next_run} takes what is "
            f"there then."
        )
