"""The processors of a cluster's nodes, by the names of their instance types, and what they can't run.

Nodes refuse a precision that their processor lacks, in a sentence (silver/processor_features.py). A cluster
costs money by then, so what a name tells is said before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from conf.errors import BadInput
from conf.settings import EmrSettings, ModelSettings
from lake.enums import PixelWay, Precision
from silver.processor_features import MACHINES

GRAVITON = re.compile(r"a1\.|[a-z]+\d+g")
"""The beginning of the names of AWS's own ARM instance types, such as m7g.xlarge, im4gn.large or a1.large."""

LACKING = {
    Precision.BFLOAT16: re.compile(r"[cmr][456][a-z]*\."),
    Precision.INT8: re.compile(r"[cmr]([56]a[a-z]*|4)\."),
}
"""The beginning of the names of instance types of the families c, m and r whose processors lack a precision.
Processors of Intel have VNNI since the sixth generation, and some types of the fifth; those of AMD (such as
m6a) have it, and bfloat16, since the seventh, and Intel's have bfloat16 since then."""


def architecture(emr_settings: EmrSettings) -> str:
    """Return the processors of the nodes that run Spark: `aarch64` where all are Graviton, else `x86_64`.

    Raises BadInput where the settings name both kinds.
    """
    types = _types(emr_settings)
    are_arm = {bool(GRAVITON.match(name)) for name in types}
    if are_arm == {True, False}:
        raise BadInput(
            f"emr.core and emr.task name Graviton types and others ({', '.join(types)}), and wheels fit one "
            f"kind of processor; name types of one kind."
        )
    return "aarch64" if are_arm == {True} else "x86_64"


def check(model: ModelSettings, emr_settings: EmrSettings) -> None:
    """Raise BadInput where the nodes that run Spark can't run the settings' extractor, as far as the names of
    their types tell."""
    precision = Precision(model.precision)
    for name in _types(emr_settings):
        is_arm = bool(GRAVITON.match(name))
        lacks = precision in LACKING and (is_arm or bool(LACKING[precision].match(name)))
        if lacks:
            raise BadInput(
                f"emr.core or emr.task names {name}, whose processor can't run model.precision = "
                f"{precision}: name types of the families {MACHINES[precision]}, or set "
                f"model.precision=float32."
            )
        if is_arm and model.pixels == PixelWay.BICUBIC.value:
            raise BadInput(
                f"emr.core or emr.task names {name}, for which there is no cykooz-resizer: set "
                f"model.pixels=hamming, or name types with processors of Intel or AMD."
            )


def _types(emr_settings: EmrSettings) -> Sequence[str]:
    return (*emr_settings.core, *emr_settings.task)
