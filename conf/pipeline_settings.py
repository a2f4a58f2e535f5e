"""The settings of the pipeline: chunks, photos, the extractor, PCA and classifiers, and the gates."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from conf.section import AboveZero, Positive, Section, Share


class ChunkSettings(Section):
    """The largest size of a chunk, and of one task that reads landing objects."""

    max_bytes: Positive
    """The most bytes of a chunk."""

    max_photos: Positive
    """The most photos of a chunk."""

    task_bytes: Positive
    """The most bytes of landing objects that one task holds at once."""

    task_photos: Positive
    """The most landing objects that one task holds at once."""


class PhotoSettings(Section):
    """Limits for a photo. One outside them is refused."""

    max_bytes: Positive
    """The most bytes of a photo's file."""

    max_pixels: Positive
    """The most pixels that a photo is decoded to. A large JPEG is decoded at 1/2, 1/4 or 1/8 of its sides."""

    min_side: Positive
    """The fewest pixels of a photo's shorter side."""

    blank_range: Annotated[int, Field(ge=0, le=255)]
    """A photo is blank if its luminance spans at most so many of 255 levels."""

    decode_seconds: Annotated[float, Field(gt=0, le=3600)]
    """The seconds that the decoding of a photo may take."""

    decoder_memory: Positive
    """The bytes of memory that the process which reads a photo may take for it."""


class ModelSettings(Section):
    """The extractor, which turns a photo into an embedding, and its weights."""

    extractor: str
    """The extractor: the name of a module in `silver/extractors`, such as `efficientnet_lite0`."""

    weights: str
    """The weights: `imagenet`, a file or an `s3://` address, or `random:SEED` for tests."""

    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    """The arithmetic of the extractor's layers. `bfloat16` takes about half the time and `int8` less, and
    each gives other embeddings (docs/performance.md); workers refuse one where the processor has no
    instructions for it."""

    pixels: Literal["as_before", "hamming", "bicubic"] = "as_before"
    """How a photo is resized to the extractor's input. `as_before` is the way of which the lake has
    embeddings of this extractor already (of several, the oldest model that is not retired), and where it has
    none `bicubic`, which takes the least time."""

    flatbuffer: str = ""
    """The path of an extractor that was converted elsewhere, with its lineage beside it. While it is empty,
    the run converts. A package for EMR sets it."""


class PcaSettings(Section):
    """The target of a PCA: either a number of components, or the share of the variance that they explain."""

    components: Positive | None = None
    """The number of components. Give this or `variance`, not both."""

    variance: Share | None = None
    """The share of the variance that the components explain. Give this or `components`, not both."""

    scale: bool = False
    """Whether each column of the embeddings is divided by its standard deviation first."""

    @model_validator(mode="after")
    def one_target(self) -> Self:
        """Raise ValueError unless exactly one target is given."""
        if (self.components is None) == (self.variance is None):
            raise ValueError("give either pca.components or pca.variance, not both")
        return self


class RefitSettings(Section):
    """The conditions for fitting a new PCA version. One that is met is enough."""

    growth: AboveZero
    """A version is fitted when the new photos reach this share of those that the newest one was fitted on."""

    mean_shift: AboveZero
    """A version is fitted when the mean of a chunk has shifted by more standard deviations than this, beyond
    chance."""

    reconstruction: AboveZero
    """A version is fitted when the components lose more of a chunk's variance than in their own fit, by more
    than this share, beyond chance."""

    promote: bool
    """Whether a new version becomes the champion, which readers use, at once; otherwise it is a candidate."""


class TrainingSettings(Section):
    """The training of classifiers."""

    max_photos: Positive
    """The most labelled photos that a classifier is fitted on. They must fit in the driver's memory."""

    folds: Annotated[int, Field(ge=2)]
    """The number of folds of the cross-validation."""

    wanted_precision: Share
    """The share of right answers among those that `predict` and the page are sure of. Other answers are not
    sure."""


class GateSettings(Section):
    """The gates between the layers, which can block a chunk."""

    refused_share: Share
    """A chunk is blocked if more than this share of its photos are refused."""

    counted_from: Positive
    """The fewest photos of a chunk for which `refused_share` counts."""

    history_chunks: Positive
    """A chunk's labels are compared with those of so many chunks before it."""
