"""Rows as many daily runs would have left them in the journals."""

from datetime import UTC, datetime, timedelta

from lake import catalog

START = datetime(2026, 1, 1, 6, tzinfo=UTC)


def add_runs(place, count):
    """Rows as `count` daily runs would have left them in the journals."""
    [model] = {row["weights_id"] for row in place.lake.records(catalog.DRIFT)}
    runs, quality, drift = [], [], []
    for day in range(count):
        begun = START - timedelta(days=day)
        run_id = f"{begun:%Y%m%dT%H%M%S}.000Z-{day:08x}"
        blocked = day % 100 == 7
        runs += [
            {
                "run_id": run_id,
                "layer": layer,
                "status": "blocked" if blocked and layer == "silver" else "done",
                "started_at": begun,
                "finished_at": begun + timedelta(seconds=30 + day % 9),
                "counts": {"in": 1000 + day, "kept": 990 + day, "refused:blank": 10},
                "code_revision": "0123456789ab",
            }
            for layer in ("bronze", "silver", "gold")
        ]
        quality += [
            {
                "run_id": run_id,
                "chunk": 10_000 + day,
                "suite": "silver_embeddings",
                "expectation": "norm",
                "severity": "critical",
                "success": not blocked,
                "unexpected_count": 600 if blocked else 0,
                "element_count": 1000,
                "action": "blocked" if blocked else "passed",
                "judged_at": begun,
            }
        ]
        drift += [
            {
                "run_id": run_id,
                "chunk": 10_000 + day,
                "weights_id": model,
                "model_version": "pca-of-then",
                "photos": 990 + day,
                "mean_shift": 0.1 * (day % 9),
                "reconstruction": 0.0,
                "label_mix": 0.0,
                "brightness": 0.0,
                "components": [0.0, 0.2],
                "measured_at": begun,
            }
        ]
    with place.writing() as context:
        for table, rows in (
            (catalog.RUNS, runs),
            (catalog.QUALITY, quality),
            (catalog.DRIFT, drift),
        ):
            context.lake.record(table, rows, layer="test")
