"""What landing to gold is compared with: Daft reads photos, embeds them with LiteRT, and writes Parquet.

    python benchmarks/daft_baseline.py PHOTOS OUTPUT FLATBUFFER CORES RESULT

Run by a Python that has `benchmarks/requirements-daft.txt`, and nothing of this project. Nothing is checked,
refused, judged or journalled. The flatbuffer is float32, and its input scaling is in it. A JSON file, RESULT,
gets the time at which Daft was loaded, the seconds after that, and the number of photos.
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import daft
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from daft import DataType
from daft.functions import download
from PIL import Image

BATCH = 64
"""The photos that a process gets at once."""


class Embedder:
    """A model in a process of its own, on one thread."""

    def __init__(self, flatbuffer: str) -> None:
        self._model = Interpreter(model_path=flatbuffer, num_threads=1)
        self._model.allocate_tensors()
        self._input = self._model.get_input_details()[0]
        self._output = self._model.get_output_details()[0]["index"]

    @daft.method.batch(return_dtype=DataType.list(DataType.float32()), batch_size=BATCH)
    def embed(self, contents: Any) -> list[Any]:
        """The embedding of each photo."""
        return [self._embed(content) for content in contents.to_pylist()]

    def _embed(self, content: bytes) -> Any:
        size = int(self._input["shape"][1])
        image = Image.open(io.BytesIO(content)).convert("RGB").resize((size, size))
        self._model.set_tensor(self._input["index"], np.asarray(image, np.float32)[None])
        self._model.invoke()
        return self._model.get_tensor(self._output)[0]


def main(photos: str, output: str, flatbuffer: str, cores: str, result: str) -> None:
    """Embed all photos under a folder."""
    model = daft.cls(Embedder, use_process=True, max_concurrency=int(cores))(flatbuffer)
    ready_at, began = time.time(), time.perf_counter()
    files = daft.from_glob_path(f"{photos}/**")
    content = download(daft.col("path"))
    files.select("path", model.embed(content).alias("embedding")).write_parquet(output)
    seconds = time.perf_counter() - began
    kept = daft.read_parquet(f"{output}/**").count_rows()
    Path(result).write_text(
        json.dumps({"seconds": seconds, "ready_at": ready_at, "kept": kept, "parts": {}})
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
