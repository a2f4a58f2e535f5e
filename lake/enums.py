"""The words that columns of the tables hold: layers, outcomes, kinds, statuses, actions and states.

Tables keep these words for good, so none of them is changed. Each stands here and nowhere else in the code.
"""

from __future__ import annotations

from enum import StrEnum

BRONZE, SILVER, GOLD = "bronze", "silver", "gold"

LAYERS = (BRONZE, SILVER, GOLD)
"""The layers of the flow, in its order."""

TRAINING, REMOVAL, LABELLING = "training", "departure", "labelling"
TESTING = "testing"
"""Further layers of chunks in ops/chunks: classifiers that were trained, rows that leave silver/embeddings,
photos that get other labels in every layer, and champions that were tested on photos labelled later."""

RETIRE, ERASE, RETAIN, RESTORE, REKEY = "retire", "erase", "retain", "restore", "rekey"
"""Commands by which rows leave tables, come back, or get other pseudonyms. Their chunks and commits carry
the command's name as their layer."""

UPGRADE = "upgrade"
"""The layer of commits that give a table of earlier code what one made today has."""

REFUSED_PREFIX = "refused:"
"""What the names of counts in ops/runs begin with that count refused photos by their reason."""

FITTED_PREFIX = "fitted:"
"""What the names of counts in privacy/erasures begin with that count erased photos by the model version that
was fitted on them."""

POSSIBLY_FITTED_PREFIX = "possibly fitted:"
"""The same, of model versions for which nobody can exclude that they were fitted on the erased photos."""


class Outcome(StrEnum):
    """What became of a version of a landing object: column `outcome` of bronze/objects.

    `TOMBSTONED`: it belongs to an erased subject, or has an erased photo's bytes, and nothing of it is kept.
    `EXPIRED`: its photo, or its row in bronze/rejected, was past its longest age and has gone.
    """

    STORED = "stored"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    TOMBSTONED = "tombstoned"
    EXPIRED = "expired"


class KeyKind(StrEnum):
    """What a row of bronze/known_keys is the key of: column `of`.

    `VERSION`: a version of a landing object that was seen. `UNREADABLE`: one that could not be read, and is
    tried again. `PHOTO`: a photo that was stored.
    """

    VERSION = "version"
    UNREADABLE = "unreadable"
    PHOTO = "photo"


class ModelKind(StrEnum):
    """What a row of gold/models describes: column `kind`."""

    EXTRACTOR = "extractor"
    PCA = "pca"
    CLASSIFIER = "classifier"


class ModelStatus(StrEnum):
    """How a model version may be used: column `status` of gold/models.

    An extractor is `CONVERTED`, then `RETIRING` while its rows leave the tables, then `RETIRED`. A PCA or a
    classifier is a `CANDIDATE` or the `CHAMPION`, which readers get unless they name another version; later
    it is `RETIRED`.
    """

    CONVERTED = "converted"
    RETIRING = "retiring"
    RETIRED = "retired"
    CANDIDATE = "candidate"
    CHAMPION = "champion"


class PixelWay(StrEnum):
    """The way of a photo's pixels to the input of a model: column `pixels` of gold/models.

    JPEGs are decoded at the smallest scale that leaves twice the input's side. `HAMMING`: Pillow resizes with
    its Hamming filter, from at most three times the input's side. `BICUBIC`: the bicubic convolution of
    `cykooz-resizer`, which the processor does on many pixels at once.
    """

    HAMMING = "hamming"
    BICUBIC = "bicubic"


class Precision(StrEnum):
    """The arithmetic of a model's layers: setting `model.precision`, column `precision` of gold/models."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class RunStatus(StrEnum):
    """How one layer of one run ended: column `status` of ops/runs. `STOPPED`: a signal ended it, such as
    Ctrl-C."""

    RUNNING = "running"
    DONE = "done"
    BLOCKED = "blocked"
    FAILED = "failed"
    STOPPED = "stopped"
    PENDING = "pending"


class GateAction(StrEnum):
    """What followed from the result of an expectation: column `action` of ops/quality.

    `RELEASED`: it would have blocked a chunk that somebody released. `SKIPPED`: the expectation had nothing
    to compare with; such a result is not written to the table.
    """

    PASSED = "passed"
    WARNED = "warned"
    QUARANTINED = "quarantined"
    BLOCKED = "blocked"
    RELEASED = "released"
    SKIPPED = "skipped"


class ErasureState(StrEnum):
    """How far a request for erasure has come, in this order: column `state` of privacy/erasures."""

    REQUESTED = "requested"
    FENCED = "fenced"
    LOGICAL = "logical"
    PHYSICAL = "physical"
    VERIFIED = "verified"
    CERTIFIED = "certified"


class ErasureMode(StrEnum):
    """When the files of an erased person go: when the retention ends, or at once. Column `mode` of
    privacy/erasures, where the row of a lake's new key has REKEY."""

    DEFERRED = "deferred"
    IMMEDIATE = "immediate"
