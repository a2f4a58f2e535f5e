"""The run: its id, and what each of its layers did. The table ops/runs holds one row for each layer."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lake import metric_names
from lake.enums import REFUSED_PREFIX, RunStatus

PROJECT = Path(__file__).resolve().parents[1]
MOMENT = "%Y%m%dT%H%M%S.%f"
"""The format of the time at which a run began, which is the first part of its `run_id`."""

RATED_FROM = 1_000
"""The fewest photos whose rate is shown to people."""

REVISION = PROJECT / "REVISION"
"""The file that names the revision of the code in a package, which comes without git's history."""


@dataclass(frozen=True)
class Run:
    """One call of the command line. The ids of runs sort by time."""

    run_id: str
    code_revision: str
    settings_hash: str

    @classmethod
    def begin(cls, settings_hash: str) -> Run:
        """Return a new run of the code in this folder, which begins now."""
        moment = datetime.now(UTC).strftime(MOMENT)[:-3]
        return cls(f"{moment}Z-{secrets.token_hex(4)}", code_revision(), settings_hash)

    def metadata(self, *, layer: str, chunk: int | None) -> str:
        """Return the JSON text that a commit carries as `userMetadata`."""
        return json.dumps(
            {
                "run_id": self.run_id,
                "chunk": chunk,
                "layer": layer,
                "code_revision": self.code_revision,
                "settings_hash": self.settings_hash,
            }
        )


def begun(run_id: str) -> datetime:
    """Return when the run with an id began, in UTC."""
    return datetime.strptime(run_id.partition("Z-")[0], MOMENT).replace(tzinfo=UTC)


def code_revision() -> str:
    """Return the git commit of this code, 12 hex digits. A `+` follows where files differ from the commit.

    A package of the code has its revision in a file. The revision is `unknown` where neither tells it.
    """
    if REVISION.exists():
        return REVISION.read_text().strip()
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != PROJECT:
            return "unknown"  # installed in a folder of somebody's repository
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(PROJECT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


@dataclass(frozen=True)
class Judgement:
    """The verdict of a gate on a chunk.

    `passed` is the number of the suite's expectations that passed. The others are named by their ids.
    `blocked` names what blocked the chunk: expectations, or `refused_share`.
    """

    suite: str
    chunk: int
    passed: int
    warned: tuple[str, ...]
    quarantined: tuple[str, ...]
    blocked: tuple[str, ...]


@dataclass(frozen=True)
class RuleWarning:
    """What a rule that only warns found, in one chunk or in a whole table.

    `says` ends the sentence that begins with photos, such as `3 of 57 photos`, and `remedy` is what to do.
    `failing` of so many `photos` fail a rule about single photos; a rule about all of them together has
    `observed` a value outside `bound`, a text such as `at most 0.50`.
    """

    table: str
    rule: str
    says: str
    remedy: str
    photos: int
    failing: int | None = None
    observed: float | None = None
    bound: str = ""
    chunk: int | None = None


OBSERVED = re.compile(r"\bobserved -?(?:\d[\d.e+-]*|inf|nan)(?<![.])")
"""A measured value in the sentence of a gate that blocked a chunk."""


def without_values(text: str) -> str:
    """Return a gate's sentence without the values that it observed, as ops/runs keeps it."""
    return OBSERVED.sub("observed a value that this journal doesn't keep", text)


@dataclass
class LayerRun:
    """What one layer did in one run. It is gathered while the layer works, for ops/runs and for the screen.

    `counts` are the photos by what became of them, such as `in` and `kept`, and `reasons` are the refused
    photos by their reason. `measured` are the largest values of metrics.
    """

    layer: str
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    warnings: list[RuleWarning] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    status: str = RunStatus.RUNNING
    error: str | None = None

    def add(self, counts: Mapping[str, int]) -> None:
        """Add the counts of another chunk."""
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def refuse(self, reasons: Mapping[str, int]) -> None:
        """Add numbers of refused photos by their reason."""
        for reason, count in reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def measure(self, name: str, value: float) -> None:
        """Record a value of one of `lake.metric_names`; the largest value is kept."""
        self.measured[name] = max(value, self.measured.get(name, value))

    def finish(self, status: str, *, error: str | None = None) -> None:
        """Stop the clock. `status` says how the layer ended; see `lake.enums.RunStatus`."""
        self.finished_at, self.status, self.error = datetime.now(UTC), status, error

    @property
    def seconds(self) -> float:
        """The seconds from the start to the finish, or to now."""
        return ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds()

    @property
    def photos_per_second(self) -> float | None:
        """The rate over the whole time of the layer; None where nothing came in.

        It says something of `RATED_FROM` photos or more: of fewer, most of the time is that of commits.
        """
        return self.counts["in"] / self.seconds if self.counts.get("in") else None

    @property
    def numbers(self) -> dict[str, float]:
        """The metrics of the layer that are known, by their names in `lake.metric_names`."""
        taken, refused = self.counts.get("in", 0), sum(self.reasons.values())
        failures = sum(len(each.blocked) for each in self.judgements)
        found: dict[str, float] = {
            metric_names.IN: taken,
            metric_names.KEPT: self.counts.get("kept", 0),
            metric_names.REFUSED: refused,
            # A gate that could not run blocks the chunk too, but there is no judgement of it.
            metric_names.GATE_FAILURES: max(failures, int(self.status == "blocked")),
            metric_names.GATE_WARNINGS: sum(len(each.warned) for each in self.judgements),
        }
        if taken:
            found[metric_names.REFUSED_SHARE] = refused / taken
        if self.photos_per_second:
            found[metric_names.RATE] = self.photos_per_second
        return found | self.measured

    def row(self, run: Run) -> dict[str, Any]:
        """Return the row of ops/runs."""
        return {
            "run_id": run.run_id,
            "chunk": None,
            "layer": self.layer,
            "status": self.status,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "counts": {
                **self.counts,
                **{f"{REFUSED_PREFIX}{k}": v for k, v in self.reasons.items()},
            },
            "photos_per_second": self.photos_per_second,
            "metrics": self.numbers,
            "settings_hash": run.settings_hash,
            "code_revision": run.code_revision,
            "error": self.error and without_values(self.error),
        }
