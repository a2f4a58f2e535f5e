"""Which run this is, and what it left in `ops/runs`."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lake import metric_names
from lake.column_values import REFUSED_PREFIX, RunStatus

PROJECT = Path(__file__).resolve().parents[1]
MOMENT = "%Y%m%dT%H%M%S.%f"
"""When a run began, at the beginning of its `run_id`."""

REVISION = PROJECT / "REVISION"
"""In a package of the code, which has no history beside it: the revision that it was made of."""


@dataclass(frozen=True)
class Run:
    """One call of the command line. `run_id` sorts by time."""

    run_id: str
    code_revision: str
    settings_hash: str

    @classmethod
    def begin(cls, settings_hash: str) -> Run:
        """A new run, now, of the code in this folder."""
        moment = datetime.now(UTC).strftime(MOMENT)[:-3]
        return cls(f"{moment}Z-{secrets.token_hex(4)}", code_revision(), settings_hash)

    def metadata(self, *, layer: str, chunk: int | None) -> str:
        """What each commit carries as `userMetadata`."""
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
    """When the run of that id began, in UTC."""
    return datetime.strptime(run_id.partition("Z-")[0], MOMENT).replace(tzinfo=UTC)


def code_revision() -> str:
    """The git commit of this code, with `+` behind it where files differ from it; else `unknown`."""
    if REVISION.exists():
        return REVISION.read_text().strip()
    try:
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
    """What a gate said of a chunk: of the suite's expectations so many passed, the others by their ids.

    `blocked` is what blocked it: expectations, or `refused_share`.
    """

    suite: str
    chunk: int
    passed: int
    warned: tuple[str, ...]
    quarantined: tuple[str, ...]
    blocked: tuple[str, ...]


@dataclass
class LayerRun:
    """What one layer did in one run, gathered while it works: the row of `ops/runs`, and the screen's."""

    layer: str
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    finished_at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    status: str = RunStatus.RUNNING
    error: str | None = None

    def add(self, counts: Mapping[str, int]) -> None:
        """Adds counts of another chunk."""
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def refuse(self, reasons: Mapping[str, int]) -> None:
        """Adds counts of refused photos, a reason each."""
        for reason, count in reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def measure(self, name: str, value: float) -> None:
        """Keeps the largest value of one of `lake.metric_names`."""
        self.measured[name] = max(value, self.measured.get(name, value))

    def finish(self, status: str, *, error: str | None = None) -> None:
        """Stops the clock: `done`, `blocked` or `failed`."""
        self.finished_at, self.status, self.error = datetime.now(UTC), status, error

    @property
    def seconds(self) -> float:
        """From the start to the finish, or to now."""
        return ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds()

    @property
    def photos_per_second(self) -> float | None:
        """None where nothing came in."""
        return self.counts["in"] / self.seconds if self.counts.get("in") else None

    @property
    def numbers(self) -> dict[str, float]:
        """What `lake.metric_names` names of a layer, as far as it is known."""
        taken, refused = self.counts.get("in", 0), sum(self.reasons.values())
        failures = sum(len(each.blocked) for each in self.judgements)
        found: dict[str, float] = {
            metric_names.IN: taken,
            metric_names.KEPT: self.counts.get("kept", 0),
            metric_names.REFUSED: refused,
            # A gate that could not run blocks too, and has judged nothing.
            metric_names.GATE_FAILURES: max(failures, int(self.status == "blocked")),
            metric_names.GATE_WARNINGS: sum(len(each.warned) for each in self.judgements),
        }
        if taken:
            found[metric_names.REFUSED_SHARE] = refused / taken
        if self.photos_per_second:
            found[metric_names.RATE] = self.photos_per_second
        return found | self.measured

    def row(self, run: Run) -> dict[str, Any]:
        """The row of `ops/runs`."""
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
            "error": self.error,
        }
