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

LIMIT = "ONEDNN_MAX_CPU_ISA"
"""The variable of the environment that forbids OpenVINO instructions which the processor has."""

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

    Rounding in other instructions would give other embeddings under the same name. On processors that are
    not x86-64, nobody measured bfloat16.
    """
    limit = os.environ.get(LIMIT, "").upper()
    is_limited = bool(limit) and not any(
        word in limit for word in ("BF16", "AMX", "ALL", "DEFAULT")
    )
    has_it = bool(set(BFLOAT16).intersection(held())) and not is_limited
    if precision is Precision.BFLOAT16 and not has_it:
        raise UnsupportedPrecision(
            f"model.precision = bfloat16 needs a processor with {' or '.join(BFLOAT16)} (x86-64), and this "
            f"machine's ({platform.machine()}) has neither: set model.precision=float32, or take machines "
            f"that have it, on AWS m7i, c7i, m7a or c7a."
        )
