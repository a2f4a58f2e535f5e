"""What silver is compared with: features as the course notebooks make them, a Keras model in a pandas UDF.

`binaryFile` → `repartition` → scalar iterator UDF → Parquet, with the weights broadcast and the model
rebuilt by each task. Nothing is checked, refused, judged or journalled. Spark's settings are its defaults.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType

from silver import extractors

APPLICATIONS = {
    "mobilenet_v2": ("mobilenet_v2", "MobileNetV2"),
    "resnet50": ("resnet50", "ResNet50"),
    "efficientnet_b0": ("efficientnet", "EfficientNetB0"),
}
"""Extractors that keras.applications has too: the module, and the model's name in it."""

PARTITIONS = 20
"""As in the notebooks. Each rebuilds the model, so that this is a fixed part and no part of the rate."""

DRIVER_MEMORY = "4g"


def session(cores: int, *, config: Mapping[str, str] | None = None) -> SparkSession:
    """A local session, as a notebook starts it, with further settings. Call it once a process."""
    builder = SparkSession.builder.appName("notebook form").master(f"local[{cores}]")
    # With Spark's 1 GB the larger photos of a phone end in an OutOfMemoryError.
    builder = builder.config("spark.driver.memory", DRIVER_MEMORY)
    # A laptop's host name often resolves to nothing.
    for name in ("spark.driver.host", "spark.driver.bindAddress"):
        builder = builder.config(name, "127.0.0.1")
    for name, value in (config or {}).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def extract(
    spark: SparkSession, photos: Path, output: Path, *, extractor: str, weights: str
) -> None:
    """Writes Parquet with path, label (the parent folder) and features, float32[d], of every photo."""
    module, name = APPLICATIONS[extractor]
    ours = extractors.extractor(extractor)
    broadcast = spark.sparkContext.broadcast(ours.build(ours.source(weights)).get_weights())
    side = ours.SIZE

    # Within this function, so that workers get them by value, as from a notebook's cell.
    def features(contents: Iterator[pd.Series]) -> Iterator[pd.Series]:
        from keras import applications

        shape = (side, side, 3)
        preprocess_input = getattr(applications, module).preprocess_input
        model = getattr(applications, name)(
            include_top=False, pooling="avg", weights=None, input_shape=shape
        )
        model.set_weights(broadcast.value)

        def preprocess(content: bytes) -> np.ndarray:
            image = Image.open(io.BytesIO(content)).convert("RGB").resize((side, side))
            return preprocess_input(np.array(image, np.float32))

        for series in contents:
            batch = np.stack([preprocess(content) for content in series])
            yield pd.Series(list(model.predict(batch, verbose=0)))

    udf = F.pandas_udf(features, ArrayType(FloatType()))
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(str(photos))
    labelled = files.withColumn("label", F.element_at(F.split("path", "/"), -2))
    rows = labelled.repartition(PARTITIONS).select(
        "path", "label", udf("content").alias("features")
    )
    rows.write.mode("overwrite").parquet(str(output))
