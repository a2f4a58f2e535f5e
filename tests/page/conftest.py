"""The lake that the tests of the report use too: it has a classifier, a PCA version and photos of people."""

from tests.report.conftest import photo, told

__all__ = ["photo", "told"]
