"""What tables hold, for comparing the lakes of two histories."""

from collections import Counter

from lake import catalog
from report.lake_counts import sums

GRAINS = {
    catalog.OBJECTS: ["object", "etag"],
    catalog.PHOTOS: ["photo_id"],
    catalog.REJECTED: ["path"],
    catalog.EMBEDDINGS: ["photo_id", "weights_id"],
    catalog.QUARANTINE: ["photo_id", "weights_id"],
    catalog.FEATURES: ["photo_id", "model_version"],
    catalog.MODELS: ["version"],
    catalog.MOMENTS: ["weights_id"],
}


def repeated(lake):
    """Rows that a reader sees twice, by table. A refusal that a replay ended is history."""
    found = {}
    for table, keys in GRAINS.items():
        ended = ["replayed_at"] if table is catalog.QUARANTINE else []
        held = lake.records(table, columns=[*keys, *ended])
        open_rows = (row for row in held if not any(row.pop(name) for name in ended))
        rows = Counter(tuple(row.values()) for row in open_rows)
        twice = [key for key, count in rows.items() if count > 1]
        if twice:
            found[table.name] = twice
    return found


def rows(lake, table):
    """Every row as text, but for run_id, chunk and times."""
    apart = {f.name for f in table.schema if f.dataType.typeName() == "timestamp"}
    columns = [name for name in table.schema.names if name not in apart | {"run_id", "chunk"}]
    return sorted(map(repr, lake.records(table, columns=columns)))


def features(lake):
    return {
        (row["photo_id"], row["model_version"]): row["features"]
        for row in lake.records(catalog.FEATURES)
    }


def same_tables(place, samples_lake):
    for table in (
        catalog.OBJECTS,
        catalog.PHOTOS,
        catalog.REJECTED,
        catalog.QUARANTINE,
        catalog.EMBEDDINGS,
    ):
        assert rows(place.lake, table) == rows(samples_lake.lake, table), table.name
    assert repeated(place.lake) == {}
    held = sums(place.files)
    assert held.disagreements() == held.open_ends == []
    assert held.models[0].features == held.models[0].embedded
