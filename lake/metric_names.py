"""The names of a run's metrics: numbers in ops/runs that CloudWatch gets and alarms watch. None is
personal."""

from __future__ import annotations

from collections.abc import Mapping

IN, KEPT, REFUSED = "photos_in", "photos_kept", "photos_refused"
REFUSED_SHARE = "refused_share"
RATE = "photos_per_second"
GATE_FAILURES, GATE_WARNINGS = "gate_failures", "gate_warnings"
LAG = "landing_lag_seconds"
ASKED_UP_TO = "unreadable_asked_up_to"
"""Where the next run goes on to ask for objects that could not be read, if they are too many for one run: a
place in the order of their keyed hashes, in [0, 1). CloudWatch doesn't get it."""

LISTED = "landing_listed"
NEW, KNOWN = "landing_new", "landing_known"
STILL_UNREADABLE = "landing_still_unreadable"
PASSED_OVER = "landing_passed_over"
LINKS = "landing_links"
OF_LANDING = (NEW, KNOWN, STILL_UNREADABLE, PASSED_OVER, LINKS)
"""What became of the objects that a run of bronze listed. The numbers of `OF_LANDING` add up to `LISTED`.

New ones are taken in by that run, known ones by an earlier one. `STILL_UNREADABLE` are those that an earlier
run could not read and this one did not take in. What is passed over has no row in any table,
and neither have links and special files (pipes, devices). ops/runs and
`status` have these numbers; CloudWatch doesn't get them.
"""

LOOKED_AT, FOUND_NEW = "landing_looked_at", "landing_found_new"
"""The objects that a run of bronze looked at without a listing of the whole landing folder, and those of them
that were new. Where a run did both, `OF_LANDING` tells of the whole listing alone."""

LISTING_RULE = "landing_listing_rule"
"""A number for the landing folder, what is passed over there, and the way in which a run of bronze found new
objects: the same for two runs that looked for them in one way. It is a keyed hash and tells nothing."""

OBJECTS_VERSION = "objects_version"
"""The version of bronze/objects when a run of bronze ended. A later run sees by it whether objects that this
one knew were forgotten since, so that only a listing of the whole landing folder finds them again. ops/runs
has these two numbers; CloudWatch doesn't get them."""

LABEL_CONFLICTS = "label_conflicts"
"""The number of photos of which objects in the landing folder tell several labels, or splits, after a run of
bronze. ops/runs has it; CloudWatch doesn't get it."""

LATER_LABELS = "later_labels"
ACCURACY_SHORTFALL = "accuracy_shortfall"

DRIFT = "drift_"
"""The prefix of the metric of a drift; the name of a measure of `gold.drift.Drift` follows."""

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
    LATER_LABELS: "Count",
    ACCURACY_SHORTFALL: "None",
    MEAN_SHIFT: "None",
    RECONSTRUCTION: "None",
    f"{DRIFT}label_mix": "None",
    f"{DRIFT}brightness": "None",
    f"{DRIFT}component": "None",
}
"""The metrics of one layer of one run, with their units in CloudWatch.

`refused_share` is the share of refused photos among those that came in, in [0, 1]. `gate_failures` counts
what blocked chunks: critical expectations that failed, a refused share that was too large, and a gate that
could not run. `landing_lag_seconds` is the age of the oldest new object when bronze found it; it is 0 where
no object is new. `later_labels` are the photos that got their label after the training of the champion
classifier, and `accuracy_shortfall` is how far its accuracy on those of the last weeks lies, beyond chance,
below the interval that its test promised, in [0, 1]; of several champions they are the largest. `drift_…` is
the largest value over the chunks that were compared with their version.
"""

OF_RUN: Mapping[str, str] = {RUNS: "Count", RUNS_FAILED: "Count", ERASURES_DUE: "Count"}
"""The metrics of one whole run, with their units in CloudWatch.

`runs` is 1. `runs_failed` is 1 where the run failed or a gate blocked it. `erasures_due` is the number of
requests for erasure whose files may be removed and are still there when the run ends.
"""

LAKE, LAYER = "Lake", "Layer"
"""The dimensions of the metrics: the lake's root, and for the metrics of a layer also the layer's name."""
