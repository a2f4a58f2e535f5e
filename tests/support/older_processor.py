"""A processor that lacks what this machine's may have, in a module that Spark's workers import."""

from __future__ import annotations

from collections.abc import Collection

from silver import processor_features


def features() -> Collection[str]:
    """This machine's features without those that bfloat16 or int8 needs."""
    needed = (*processor_features.BFLOAT16, *processor_features.INT8)
    return frozenset(processor_features.features()).difference(needed)
