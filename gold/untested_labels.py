"""Labels that no test can take photos of, or too few to rely on: which, why, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from gold import scenes
from gold.cross_validation import TooFewTested
from gold.training_examples import Examples

FEW = 3
"""The number of scenes below which nobody should rely on what a test says of a label: each time that it is
tested, it was learned from one or two scenes at most."""

LISTED = 5
"""How many labels a sentence names at most."""

REMEDY = "send photos of other fruits of these kinds, taken at another time or place"


def refusal(examples: Examples, error: TooFewTested) -> str:
    """Return the message for a training in which fewer than two labels can be tested."""
    if not examples.labels:
        return (
            "There is no photo with a label among those that silver embedded, so nothing to train on: send "
            "photos in folders that are named after their kinds."
        )
    found = f"only {error.tested[0]} has them" if error.tested else "no kind has them"
    why = _causes(examples, error.untested)
    return (
        f"{len(examples.labels):,} photos with a label are not enough to train on: a test needs two kinds "
        f"with photos of two scenes each, and {found}{f'; {why}' if why else ''}. To train, {REMEDY}."
    )


def notes(examples: Examples, untested: Collection[str]) -> Iterator[str]:
    """Yield a sentence about the labels that were learned and not tested, one about those that were tested
    on fewer than FEW scenes, and one about those left out."""
    if untested:
        yield (
            f"not every kind could be tested; {_causes(examples, untested)}. They were learned all the "
            f"same; to test them, {REMEDY}."
        )
    photos, count = Counter(examples.labels), _scenes(examples)
    tested = photos.keys() - set(untested)
    if few := {label: photos[label] for label in tested if count[label] < FEW}:
        yield (
            f"photos of fewer than {FEW} scenes are too few to rely on what the test says of "
            f"{listed(few)}; to know more, {REMEDY}."
        )
    if examples.left_out:
        kinds = listed(dict.fromkeys(examples.left_out, 1))
        yield f"training.max_photos left no room for photos of {kinds}: raise it to have them learned."


def _causes(examples: Examples, untested: Collection[str]) -> str:
    """Return in words why labels have no photos to hold out, with the number of photos of each.

    A test fits a classifier on some scenes of a label and tries it on others, so it needs two of them.
    """
    photos = Counter(label for label in examples.labels if label in untested)
    count = _scenes(examples)
    single = {label: n for label, n in photos.items() if n == 1}
    single_scene = {label: n for label, n in photos.items() if n > 1 and count[label] == 1}
    together = _of_one_visit(examples, single_scene)
    chained = {label: n for label, n in single_scene.items() if label not in together}
    others = {label: n for label, n in photos.items() if count[label] > 1}
    causes = {
        "all photos are of one visit": {
            label: n for label, n in photos.items() if label in together
        },
        "all photos are so alike that they count as one scene, as the frames of a film do": chained,
        "there is one photo": single,
        "the scenes hang together with those of other kinds": others,
    }
    return "; ".join(f"of {listed(some)} {why}" for why, some in causes.items() if some)


def _of_one_visit(examples: Examples, labels: Collection[str]) -> set[str]:
    """Return those of some labels whose photos are all known to be of one visit."""
    visits = scenes.visits(examples.subjects, examples.days)
    of_label: dict[str, set[str | None]] = {label: set() for label in labels}
    for label, visit in zip(examples.labels, visits, strict=True):
        if label in of_label:
            of_label[label].add(visit)
    return {label for label, found in of_label.items() if len(found) == 1 and None not in found}


def _scenes(examples: Examples) -> Counter[str]:
    """Return the number of scenes of each label."""
    pairs = set(zip(examples.labels, examples.scenes.tolist(), strict=True))
    return Counter(label for label, _ in pairs)


def listed(photos: Mapping[str, int]) -> str:
    """Return the labels with the most photos, each with their number, and how many more labels there are."""
    most = sorted(photos, key=lambda label: (-photos[label], label))
    shown = [f"{label} ({photos[label]:,})" if photos[label] > 1 else label for label in most]
    more = f" and {len(shown) - LISTED:,} more kinds" if len(shown) > LISTED else ""
    return ", ".join(shown[:LISTED]) + more
