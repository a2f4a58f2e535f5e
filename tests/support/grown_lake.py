"""What tests on the lake of two runs ask of it."""

from lake import catalog
from lake.catalog import Table
from tests.support.place import Place


class GrownLake(Place):
    """The samples' lake after a second run: the versions of its tables `before` and `after` that run, and
    the `rows` that they had before it."""

    before: dict[Table, int]
    after: dict[Table, int]
    rows: dict[Table, list[str]]


NEW = 5
"""Photos that the second run brought to gold: three of the canary's, and two of nobody's."""


def versions(place):
    """The versions of all tables."""
    return {table: place.lake.version(table) for table in catalog.TABLES}


def everything(place, table):
    """All rows of a table, with who wrote them, as text."""
    return sorted(map(repr, place.lake.records(table)))
