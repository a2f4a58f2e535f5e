"""What a run is measured by: numbers of ops/runs that CloudWatch gets and alarms watch. None is personal."""

from __future__ import annotations

from collections.abc import Mapping

IN, KEPT, REFUSED = "photos_in", "photos_kept", "photos_refused"
REFUSED_SHARE = "refused_share"
RATE = "photos_per_second"
GATE_FAILURES, GATE_WARNINGS = "gate_failures", "gate_warnings"
LAG = "landing_lag_seconds"
DRIFT = "drift_"
"""Before the name of one of a drift's measures (gold/drift.py)."""

MEAN_SHIFT, RECONSTRUCTION = f"{DRIFT}mean_shift", f"{DRIFT}reconstruction"

RUNS, RUNS_FAILED, ERASURES_DUE = "runs", "runs_failed", "erasures_due"

OF_LAYER: Mapping[str, str] = {
    IN: "Count",
    KEPT: "Count",
    REFUSED: "Count",
    REFUSED_SHARE: "None",
    RATE: "Count/Second",
    GATE_FAILURES: "Count",
    GATE_WARNINGS: "Count",
    LAG: "Seconds",
    MEAN_SHIFT: "None",
    RECONSTRUCTION: "None",
    f"{DRIFT}label_mix": "None",
    f"{DRIFT}brightness": "None",
    f"{DRIFT}component": "None",
}
"""Of one layer of one run, and the unit of each.

`refused_share`, of what came in, in [0, 1]. `gate_failures`: what blocked chunks: critical expectations, too
large a refused share, a gate that could not run.
`landing_lag_seconds`: how old the oldest new object was when bronze found it; 0 where none is new. `drift_…`:
the largest over the chunks that were compared with their version.
"""

OF_RUN: Mapping[str, str] = {RUNS: "Count", RUNS_FAILED: "Count", ERASURES_DUE: "Count"}
"""Of one whole run, and the unit of each. `runs_failed`: 1 where it failed or a gate blocked it.
`erasures_due`: requests whose files may go and have not gone when it ends."""

LAKE, LAYER = "Lake", "Layer"
"""The dimensions: the lake's root, and, of a layer, its name."""
