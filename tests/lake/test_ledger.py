"""What questions to the ledger of a lake of ten years cost: work is counted, not timed. Without Spark."""

from lake.chunks import Chunk, ChunkPlan, ChunkState, latest, not_yet_taken
from lake.ledger import Ledger

MANY = 10_000


class ListedJournal:
    """Rows in a list, which counts how often each was read."""

    run_id = "run"

    def __init__(self) -> None:
        self.rows = []

    def read(self):
        return self.rows

    def record(self, rows, *, layer, chunk):
        self.rows += rows

    def last_number(self):
        return 0


class Counted(int):
    """A number of a chunk that counts how often any such number was compared, on either side."""

    compared = 0

    def _counting(name):  # noqa: N805  (it makes methods, and is none)
        def compare(self, other):
            Counted.compared += 1
            return getattr(int, name)(self, other)

        return compare

    __lt__, __le__, __gt__, __ge__, __eq__ = map(
        _counting, ("__lt__", "__le__", "__gt__", "__ge__", "__eq__")
    )
    __hash__ = int.__hash__


def chunk(number, layer, **other):
    made = {"bytes": 1, "photos": 1, "state": ChunkState.PUBLISHED} | other
    return Chunk(number=Counted(number), layer=layer, **made)


def ledger_of(chunks):
    ledger = Ledger(ListedJournal())
    ledger.plan([ChunkPlan(layer="bronze", photos=1) for _ in range(chunks)])
    return ledger


def test_what_is_not_taken_of_ten_thousand_chunks_is_found_in_few_comparisons():
    bronze = [chunk(2 * n, "bronze", versions={"bronze/photos": 1}) for n in range(1, MANY)]
    silver = [
        chunk(2 * n + 1, "silver", weights_id="m", source_from=Counted(2 * n), source_to=2 * n)
        for n in range(1, MANY - 3)
    ]
    Counted.compared = 0
    found = not_yet_taken([*silver, *bronze], source="bronze", layer="silver", weights_id="m")
    assert [each.number for each in found] == [2 * n for n in range(MANY - 3, MANY)]
    assert Counted.compared < 50 * MANY


def test_a_recount_looks_at_the_chunks_that_it_names(monkeypatch):
    ledger = ledger_of(MANY)
    looked = []
    chunks = dict(ledger.chunks())

    class Watched(dict):
        def items(self):
            raise AssertionError("every chunk was looked at")

        def __getitem__(self, number):
            looked.append(number)
            return super().__getitem__(number)

    monkeypatch.setattr(ledger, "_chunks", Watched(chunks))
    changed = ledger._recounted({7: 0, 3: 0, 5: 1, MANY + 1: 0})
    assert [(each.number, each.photos) for each in changed] == [(3, 0), (7, 0)]
    assert set(looked) == {3, 5, 7}


def test_a_state_that_is_over_is_not_made_a_chunk(monkeypatch):
    ledger = ledger_of(3)
    for _ in range(50):
        ledger.reached(ledger.chunks()[2], ChunkState.STAGED)
    rows, made = ledger._journal.rows, []
    of = Chunk.of.__func__
    monkeypatch.setattr(Chunk, "of", classmethod(lambda cls, row: made.append(row) or of(cls, row)))
    assert latest(rows) == ledger.chunks()
    assert len(made) == 3
