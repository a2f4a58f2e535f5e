"""The context that all parts of one run work in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from rich.console import Console

from conf.settings import Settings
from lake.layer_interfaces import EmbeddingModel, Gate
from lake.pseudonyms import Pseudonyms
from lake.run_clock import RunClock
from lake.run_journal import LayerRun
from lake.writable_lake import WritableLake


@dataclass(frozen=True)
class Context:
    """What the parts of one run share: settings, lake, pseudonyms, console, model and gate.

    `did` gathers what the step that is running does, for ops/runs and the screen. `now` is the time by which
    things count as due. `clock` counts the seconds of the whole run. `load_model` gives the extractor of the
    settings and is called once for all steps;
    `make_gate` makes the gate of a step, and one that releases a blocked chunk into quarantine.
    """

    settings: Settings
    lake: WritableLake
    pseudonyms: Pseudonyms
    console: Console
    load_model: Callable[[], EmbeddingModel]
    make_gate: Callable[[Context, bool], Gate]
    did: LayerRun
    now: datetime
    clock: RunClock = field(default_factory=RunClock)

    @property
    def model(self) -> EmbeddingModel:
        """The extractor that the settings name, looked up, converted where the lake has none, and broadcast.

        Raises BadInput, Inconsistent.
        """
        return self.load_model()

    @cached_property
    def gate(self) -> Gate:
        """The gate that chunks of this step pass through."""
        return self.make_gate(self, False)

    @cached_property
    def releasing_gate(self) -> Gate:
        """A gate that blocks nothing: what it would block goes into quarantine."""
        return self.make_gate(self, True)

    def step(self, name: str, **changes: Any) -> Context:
        """The same context for another step, a row of ops/runs of its own. `changes` are of other fields."""
        return replace(self, did=LayerRun(name), **{"now": datetime.now(UTC)} | changes)
