"""The main file of a run that writes, after silver, what its driver and its workers have loaded, as JSON.

It gives the words of the command line to `run.py`, but for the first: where the JSON goes.
"""

import gc
import hashlib
import json
import os
import sys
from pathlib import Path

import pyarrow as pa

import run
from emr.package_archive import ROOMS
from lake.enums import SILVER
from silver.inference_runtime import CompiledModel

OURS = ("run", *ROOMS)
SITE = ("openvino", "numpy", "pyarrow", "PIL", "pydantic")


def loaded() -> dict[str, object]:
    """Of this process: where it works, the files of its modules, and the models that it holds."""
    files = {
        name: str(Path(module.__file__).resolve())
        for name, module in sys.modules.items()
        if name.partition(".")[0] in OURS + SITE and getattr(module, "__file__", None)
    }
    return {
        "pid": os.getpid(),
        "folder": os.getcwd(),
        "files": files,
        "of_tensorflow": [n for n in sys.modules if n.partition(".")[0] in ("tensorflow", "keras")],
        "models": sum(isinstance(held, CompiledModel) for held in gc.get_objects()),
    }


def of_workers(spark, content) -> list[dict[str, object]]:
    """What each of many tasks sees, with the hash of the broadcast model file."""

    def seen(batches):
        for batch in batches:
            told = {**loaded(), "broadcast": hashlib.sha256(content.value).hexdigest()}
            yield pa.RecordBatch.from_pylist([{"told": json.dumps(told)}] * batch.num_rows)

    tasks = spark.range(0, 16, numPartitions=16)
    return [json.loads(row.told) for row in tasks.mapInArrow(seen, "told string").collect()]


def probed(context):
    """Silver, and then the report."""
    run.run_silver(context)
    told = {
        "driver": loaded(),
        "workers": of_workers(
            context.lake.spark, context.model.on_workers(context.lake.spark).content
        ),
    }
    Path(sys.argv[1]).write_text(json.dumps(told))


run.FLOW[SILVER] = probed
sys.exit(run.main(sys.argv[2:]))
