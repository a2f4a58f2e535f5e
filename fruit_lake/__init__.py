"""Reads a lake from scripts and notebooks: features, embeddings, photos and models, as tables of Arrow.

    import fruit_lake

    table = fruit_lake.features("data/lake")  # .to_pandas(), or polars.from_arrow(table)

`lake` is the root of a lake in each function: a folder, or `s3://bucket/prefix`. Reading needs no key, takes
no lease, starts no Spark and writes nothing. It sees committed tables, and no photo that was erased, also
where an earlier version still has its files. `at` names a time or a version of a table.

The column `subject` holds a pseudonym, which tells which photos are of one person. It is left out unless
`columns` names it. The rows are personal data also without it: a photo may show a person.

Every refusal is a `BadInput`, a `FruitLakeError` whose text says what to do.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fruit_lake import own_rooms

if TYPE_CHECKING:
    from conf.errors import BadInput, FruitLakeError
    from fruit_lake.fitted_models import matrix, model, models
    from fruit_lake.photo_tables import embeddings, features, photo_batches, photos
    from fruit_lake.table_versions import versions

__all__ = [
    "BadInput",
    "FruitLakeError",
    "embeddings",
    "features",
    "matrix",
    "model",
    "models",
    "photo_batches",
    "photos",
    "versions",
]

own_rooms.check()

# Arrow takes most of a second to load. So it is loaded when a function is first used.
_MODULES = {
    **dict.fromkeys(("BadInput", "FruitLakeError"), "conf.errors"),
    **dict.fromkeys(("matrix", "model", "models"), "fruit_lake.fitted_models"),
    **dict.fromkeys(
        ("embeddings", "features", "photo_batches", "photos"), "fruit_lake.photo_tables"
    ),
    "versions": "fruit_lake.table_versions",
}


def __getattr__(name: str) -> Any:
    """Return a public name of this package from its module. Raises AttributeError for any other name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, so that a notebook completes them."""
    return sorted(__all__)
