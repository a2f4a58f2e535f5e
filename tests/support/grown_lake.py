"""What tests on the lake of two runs ask of it."""

from lake import catalog

NEW = 5
"""Photos that the second run brought to gold: three of the canary's, and two of nobody's."""


def versions(place):
    """The versions of all tables."""
    return {table: place.lake.version(table) for table in catalog.TABLES}


def everything(place, table):
    """All rows of a table, with who wrote them, as text."""
    return sorted(repr(row.asDict()) for row in place.lake.read(table).collect())
