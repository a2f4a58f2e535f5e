"""Whether the figures of a training hold on photos of another day.

    python benchmarks/another_day.py [--photos FOLDER] [--other-day FOLDER] [--place FOLDER]
                                     [--extractor NAME --weights WEIGHTS]

The photos (by default those of ../shared/photos) are taken in by `run.py --layer all`, and classifiers are
trained on them by `run.py train`. Each is then asked about the photos of the other day (by default those of
../shared/photos_another_day), whose labels are the names of their folders. The training never sees these.

What is shown for each classifier: its accuracy on photos held out with the interval, its accuracy on the
other day, and the expected calibration error of both. Beside the last stands what confidences that are
exactly right would have on so few photos, in the mean, and then how many of the answers that `predict` calls
sure were right. The exit code is 1 where an accuracy of the other day lies outside of its interval, or a
command fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.input_photos import SHARED
from benchmarks.judged_place import exit_code, run
from conf.errors import BadInput
from conf.settings import Settings
from gold import accuracy_figures, model_reader
from gold.acceptance import AnswerVerdict
from gold.calibration import expected_calibration_error
from gold.model_versions import ClassifierVersion
from lake.enums import ModelKind
from lake.storage.locate import folder
from page.photo_looks import looks
from page.predictions import Predictor, local_model
from silver.local_inference import LookedAt

OTHER_DAY = SHARED / "photos_another_day"
DRAWS = 1_000
"""How often right and wrong answers are drawn by exactly right confidences."""


@dataclass(frozen=True)
class OtherDay:
    """What classifiers are asked about: embeddings float32[n, d], their labels, and the number of files that
    are no usable photo."""

    embeddings: NDArray[np.float32]
    labels: Sequence[str]
    refused: int


@dataclass(frozen=True)
class Answers:
    """What a classifier said on the other day: whether it was right, bool[n], how confident it was,
    float64[n], and whether that was an answer to rely on, bool[n]."""

    is_right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    is_sure: NDArray[np.bool_]

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(self.is_right.mean())

    @property
    def sure(self) -> str:
        """How many answers were to be relied on, and how many of them were right, in words."""
        return f"{(self.is_right & self.is_sure).sum():,} of {self.is_sure.sum():,}"

    @property
    def calibration_error(self) -> float:
        """The expected calibration error."""
        return expected_calibration_error(self.confidence, self.is_right)

    @property
    def least_error(self) -> float:
        """The mean calibration error of exactly right confidences on as many photos."""
        draws = np.random.default_rng(0).random((DRAWS, len(self.confidence)))
        errors = [
            expected_calibration_error(self.confidence, draw < self.confidence) for draw in draws
        ]
        return float(np.mean(errors))


def photos_of(other_day: Path, settings: Settings) -> OtherDay:
    """Return what the extractor of a lake makes of the photos in the folders of the other day's kinds.

    Raises BadInput where there is none.
    """
    model = local_model(folder(settings.paths.lake), settings)
    files = sorted(other_day.glob("*/*.*"))
    looked = list(looks(model, [file.read_bytes() for file in files]))
    used = [
        (found.embedding, file.parent.name)
        for file, found in zip(files, looked, strict=True)
        if isinstance(found, LookedAt)
    ]
    if not used:
        raise BadInput(
            f"{other_day} has no photo in a folder of a kind; name one with --other-day."
        )
    embeddings, labels = zip(*used, strict=True)
    return OtherDay(np.stack(embeddings), labels, len(files) - len(used))


def answers(predictor: Predictor, asked: OtherDay) -> Answers:
    """Return what a classifier says about the photos of the other day."""
    vectors = asked.embeddings
    if predictor.pca:
        vectors = predictor.pca.project(vectors)
    said = predictor.classifier.predict(vectors)
    labels = np.array(predictor.classifier.classifier.labels)
    confidence = said.max(axis=1)
    is_sure = [
        predictor.verdict(embedding, share) is AnswerVerdict.KIND
        for embedding, share in zip(asked.embeddings, confidence, strict=True)
    ]
    is_right = labels[said.argmax(axis=1)] == np.array(asked.labels)
    return Answers(is_right, confidence, np.array(is_sure))


def predictors(settings: Settings) -> Iterator[Predictor]:
    """Yield a predictor for each classifier of the last training, as all of a new lake are."""
    files = folder(settings.paths.lake)
    model = local_model(files, settings)
    for row in model_reader.rows(files.root, ModelKind.CLASSIFIER):
        yield Predictor.by(ClassifierVersion.read(row), model, root=files.root)


def shown(console: Console, found: Sequence[tuple[ClassifierVersion, Answers]]) -> bool:
    """Show the figures of each classifier, and return whether each accuracy lies within its interval."""
    grid = Grid(
        "classifier",
        "held out",
        "95% interval",
        "other day",
        "",
        "error held out",
        "other day",
        "least",
        "sure and right",
    )
    is_held = True
    for version, said in found:
        metrics = version.metrics
        is_within = metrics["accuracy_low"] <= said.accuracy <= metrics["accuracy_high"]
        is_held = is_held and is_within
        grid.add_row(
            f"{version.algorithm} on {version.input}",
            f"{metrics['accuracy']:.1%}",
            accuracy_figures.interval_of(metrics),
            f"{said.accuracy:.1%}",
            "" if is_within else "OUTSIDE",
            f"{metrics['calibration_error']:.3f}",
            f"{said.calibration_error:.3f}",
            f"{said.least_error:.3f}",
            said.sure,
        )
    console.print(grid)
    return is_held


def judge(
    place: Path, photos: Path, console: Console, *, other_day: Path, model: Sequence[str]
) -> bool:
    """Train on the photos, ask about the other day's, and return whether the intervals hold."""
    overrides = [*model, f"paths.landing={photos.resolve()}", f"paths.lake={place / 'lake'}"]
    for words in (("--layer", "all"), ("train",)):
        run(place, *words, overrides=overrides)
    settings = Settings.load("local", environment={}, overrides=overrides)
    asked = photos_of(other_day, settings)
    console.print(
        f"{settings.model.extractor}: {len(asked.labels):,} photos of another day, "
        f"{asked.refused:,} refused",
        highlight=False,
    )
    return shown(
        console, [(each.classifier, answers(each, asked)) for each in predictors(settings)]
    )


def main() -> int:
    """Train, ask, and return 0 where each accuracy lies within its interval."""
    parser = argparse.ArgumentParser(description="Asks classifiers about another day.")
    parser.add_argument("--photos", type=Path, help="the folder of the photos to train on")
    parser.add_argument("--other-day", type=Path, default=OTHER_DAY, help="those to ask about")
    parser.add_argument("--extractor", default="efficientnet_lite0")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--place", type=Path, help="an empty folder to work in, which is kept")
    words = parser.parse_args()
    model = [f"model.extractor={words.extractor}", f"model.weights={words.weights}"]
    asked = partial(judge, other_day=words.other_day, model=model)
    return exit_code(asked, photos=words.photos, place=words.place)


if __name__ == "__main__":
    sys.exit(main())
