"""Whatever happens between runs that look at the last days alone, they miss no object: random histories."""

from datetime import timedelta
from pathlib import Path

from deltalake import CommitProperties, DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake import catalog
from lake.enums import RESTORE, RunStatus
from lake.run_journal import Run
from tests.support.looking_runs import BEGIN, LookingRuns
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

LOOK_BACK = 2
STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 6)),  # so many days late
    st.tuples(st.just("wait"), st.sampled_from([0.25, 1, 3, 9])),
    st.tuples(st.just("run"), st.just("")),
    st.tuples(st.just("killed"), st.booleans()),  # whether it had committed
    st.tuples(st.just("restore"), st.just("")),
    st.tuples(st.just("list"), st.just("")),
)


class History:
    """A landing folder, a lake of which only the names of known objects matter, and the clock in days."""

    def __init__(self, root: Path, lake) -> None:
        self.lake, self.landing, self.day = lake, root / "landing", 0.0
        self.landing.mkdir()
        words = ["landing.after=%Y/%m/%d/", f"landing.look_back={LOOK_BACK}"]
        self.runs = LookingRuns(lake, str(self.landing), words)
        self.sent: dict[str, bool] = {}
        self.known: set[str] = set()

    def put(self, late: int) -> None:
        day = (BEGIN + timedelta(days=self.day - late)).date()
        name = f"{day:%Y/%m/%d}/{len(self.sent)}.jpg"
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.sent[name] = late <= LOOK_BACK

    def wait(self, days: float) -> None:
        self.day += days

    def run(self, *words: str) -> None:
        self._take(self.runs.look(self.day, *words))
        missed = self.sent.keys() - self.known
        assert not [name for name in missed if self.sent[name]]
        self.day += 0.01

    def list(self, _: str) -> None:
        self.run("landing.after=")
        assert self.known == self.sent.keys()

    def killed(self, has_committed: bool) -> None:
        seen = self.runs.look(self.day, status="" if has_committed else RunStatus.FAILED)
        if has_committed:
            self._take(seen)
        self.day += 0.01

    def restore(self, _: str) -> None:
        metadata = Run("r", "c", "s").metadata(layer=RESTORE, chunk=9)
        properties = CommitProperties(custom_metadata={"userMetadata": metadata})
        DeltaTable(self.lake.files.uri(catalog.OBJECTS.name)).delete(commit_properties=properties)
        self.known = set()

    def _take(self, names: set[str]) -> None:
        if new := names - self.known:
            rows = [{"object": name, "etag": "e"} for name in sorted(new)]
            write(self.lake.files.root, catalog.OBJECTS, rows)
        self.known |= names


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, max_size=8))
def test_no_history_loses_an_object(tmp_path_factory, steps):
    root = tmp_path_factory.mktemp("history")
    with small_lake(root / "lake") as lake:
        history = History(root, lake)
        for name, value in steps:
            if name == "run":
                history.run()
            else:
                getattr(history, name)(value)
        history.run()
        history.wait(8)
        history.run()
        assert history.known == history.sent.keys()
