"""The settings of what computes: Spark's session, and the cluster of AWS EMR."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.section import Form, Positive, Section


class SparkSettings(Section):
    """The Spark session."""

    master: str | None = None
    """Where Spark runs, such as `local[*]`: on every core of this machine. On a cluster it is not set, as
    spark-submit says it."""

    packages: str = ""
    """The Maven artifacts that the session fetches, with commas between them. A cluster has them already."""

    s3_packages: str = ""
    """The Maven artifacts that the session fetches too if the lake lies in S3. A cluster has them already."""

    config: dict[str, str] = Field(default={})
    """Spark's own settings, such as `"spark.driver.memory" = "3g"`. They are passed to Spark as they are."""


class EmrSettings(Section):
    """The cluster of `run.py emr`."""

    name: Annotated[
        str,
        Field(pattern="^[a-z][a-z0-9-]{0,30}$"),
        Form(
            "a name of at most 31 small letters, digits and hyphens, of which the first is a letter"
        ),
    ]
    """The name of the cluster. Names of roles and of the security configuration begin with it."""

    region: str
    """The region of AWS for the cluster, the buckets and the key."""

    release: str
    """The release of EMR, such as `emr-spark-8.0.0`."""

    artifacts: Annotated[
        str,
        Field(pattern="^s3://[^/]+/.+$"),
        Form("an address such as s3://bucket/prefix"),
    ]
    """The folder in S3 for packages and the cluster's logs."""

    kms_key: str
    """The alias or the ARN of the KMS key that encrypts buckets and disks."""

    certificates: str = ""
    """A zip file in S3 with the PEM files for TLS between nodes. While it is empty, `emr launch` says how to
    make it."""

    subnets: tuple[str, ...]
    """Subnets of one VPC. The cluster takes one of them."""

    python: Literal["3.11", "3.12", "3.13"]
    """The nodes' version of Python."""

    primary: tuple[str, ...]
    """Instance types of the primary node. The cluster takes one that AWS has."""

    core: tuple[str, ...]
    """Instance types of the core nodes. The cluster takes those that AWS has."""

    task: tuple[str, ...]
    """Instance types of the task nodes. The cluster takes those that AWS has."""

    core_nodes: Positive
    """The number of core nodes. They are on demand."""

    task_nodes: Annotated[int, Field(ge=0)]
    """The largest number of task nodes. They are Spot instances."""

    disk_gb: Positive
    """The size of each node's disk in GB."""

    idle_minutes: Annotated[int, Field(ge=1, le=10_080)]
    """A cluster ends itself after so many minutes without work."""

    tags: tuple[str, ...] = ()
    """Tags of everything that is made in the account, written `key=value`."""
