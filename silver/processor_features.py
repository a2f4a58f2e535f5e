"""Whether this machine's processor has the instructions of a precision.

OpenVINO itself doesn't tell: it lists bfloat16 also where it would only round to it, and where
ONEDNN_MAX_CPU_ISA forbids the instructions.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection
from pathlib import Path

from conf.errors import BadInput
from lake.enums import Precision

CPUINFO = Path("/proc/cpuinfo")
"""The file in which Linux lists the processor's features. Other systems have none."""

BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""The features of x86-64 that multiply bfloat16. One of them is enough."""

INT8 = ("avx512_vnni", "avx_vnni", "amx_int8")
"""The features of x86-64 that add up products of bytes exactly. One of them is enough. Without, sums of two
products saturate at 16 bits: MobileNetV2's embeddings had a cosine of 0.974 to those of float32, and with
them of 0.9955."""

LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""The variables of the environment that forbid OpenVINO instructions which the processor has. The first one
that is set counts."""

LEFT = {
    **dict.fromkeys(BFLOAT16, ("BF16", "AMX", "ALL", "DEFAULT")),
    **dict.fromkeys(
        ("avx512_vnni", "amx_int8"),
        ("AVX512_CORE_VNNI", "BF16", "FP16", "AVX10", "AMX", "ALL", "DEFAULT"),
    ),
    "avx_vnni": ("AVX2_VNNI", "AMX", "ALL", "DEFAULT"),
}
"""The features, each with words of which one stands in any limit that leaves it to OpenVINO. On a processor
with avx512_vnni (Zen 4), a model in int8 gave the same bits with such limits as without, and others with
SSE41, AVX, AVX2, AVX2_VNNI and AVX512_CORE."""

NEEDED = {Precision.BFLOAT16: BFLOAT16, Precision.INT8: INT8}
"""The features for each precision that not every processor has."""

MACHINES = {
    Precision.BFLOAT16: "m7i, c7i, m7a or c7a",
    Precision.INT8: "m6i, c6i, m7i, c7i, m7a or c7a",
}
"""Families of machines of AWS that have a precision."""

Features = Callable[[], Collection[str]]
"""A function that returns the names of a processor's features, such as `features`."""


class UnsupportedPrecision(BadInput):
    """This machine's processor has no instructions for the precision of the settings."""


def features(cpuinfo: Path = CPUINFO) -> Collection[str]:
    """Return the features of this machine's x86-64 processor, as Linux names them; none of another one."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(":") for line in lines)
    return frozenset(next((rest for name, _, rest in named if name.strip() == "flags"), "").split())


def check(precision: Precision, held: Features = features) -> None:
    """Raise UnsupportedPrecision where a processor with these features doesn't have the precision itself.

    Other instructions would give other embeddings under the same name. On processors that are not x86-64,
    nobody measured these precisions.
    """
    needed = NEEDED.get(precision)
    if needed is None:
        return
    limit = next(filter(None, map(os.environ.get, LIMITS)), "").upper()
    left = {name for name in needed if not limit or any(word in limit for word in LEFT[name])}
    if left.isdisjoint(held()):
        *names, last = needed
        raise UnsupportedPrecision(
            f"model.precision = {precision} needs a processor with {', '.join(names)} or {last} (x86-64), "
            f"and this machine's ({platform.machine()}) has none of them: set model.precision=float32, or "
            f"take machines that have it, on AWS {MACHINES[precision]}."
        )
