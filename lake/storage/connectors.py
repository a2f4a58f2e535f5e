"""How Spark and delta-rs reach the tables under a root."""

from __future__ import annotations

from urllib.parse import urlparse
from urllib.request import url2pathname

from pyarrow import fs

from lake import aws
from lake.storage.addresses import bucket_and_prefix, is_s3
from lake.storage.s3_requests import bucket_region, own_endpoint

# Where this process brings its own connector to S3 (`spark.s3_packages`): `s3://` as on EMR, with the
# credentials that boto3 finds. A bucket that throttles or is silent is asked again.
S3A = {
    "spark.jars.excludes": "software.amazon.awssdk:bundle",
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A",
    "spark.hadoop.fs.s3a.aws.credentials.provider": (
        "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
    ),
    "spark.hadoop.fs.s3a.connection.establish.timeout": "10s",
    "spark.hadoop.fs.s3a.connection.timeout": "30s",
    "spark.hadoop.fs.s3a.bucket.probe": "0",
    # Each wait is twice the one before: Hadoop's own limit of 20 would wait for days.
    "spark.hadoop.fs.s3a.retry.throttle.limit": "8",
}


def spark_options(root: str) -> dict[str, str]:
    """The settings by which Spark reaches tables under a root with a connector of its own. A local root needs
    none. Raises BadInput, StorageFailed."""
    if not is_s3(root):
        return {}
    bucket, _ = bucket_and_prefix(root)
    options = S3A | {f"spark.hadoop.fs.s3a.bucket.{bucket}.endpoint.region": bucket_region(bucket)}
    if endpoint := own_endpoint():
        options |= {
            "spark.hadoop.fs.s3a.endpoint": endpoint,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(
                endpoint.startswith("https:")
            ).lower(),
        }
    return options


def arrow_files(uri: str) -> fs.FileSystem:
    """Arrow's own access to the files under an address that delta-rs gives (`file://…` or `s3://…`).

    The one that delta-rs brings is written in Python. Arrow's threads may still be in it when the process
    ends, which then aborts (exit code 134). Raises BadInput, StorageFailed.
    """
    if not is_s3(uri):
        return fs.SubTreeFileSystem(url2pathname(urlparse(uri).path), fs.LocalFileSystem())
    options = delta_rs_options(uri)
    scheme, _, endpoint = options.get("aws_endpoint", "").rpartition("://")
    bucket, prefix = bucket_and_prefix(uri)
    files = fs.S3FileSystem(
        access_key=options.get("aws_access_key_id"),
        secret_key=options.get("aws_secret_access_key"),
        session_token=options.get("aws_session_token"),
        region=options["aws_region"],
        endpoint_override=endpoint or None,
        scheme=scheme or "https",
        # As patient as boto3 (`aws.client`): Arrow would wait for three seconds, and ask three times.
        connect_timeout=10,
        request_timeout=30,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=aws.ATTEMPTS),
    )
    return fs.SubTreeFileSystem(f"{bucket}/{prefix}", files)


def delta_rs_options(root: str) -> dict[str, str]:
    """The options by which delta-rs reads a table under a root, from the same credentials and endpoint as
    everything else. A local root needs none. Raises BadInput, StorageFailed."""
    if not is_s3(root):
        return {}
    import boto3

    options = {"aws_region": bucket_region(bucket_and_prefix(root)[0])}
    with aws.asking(root):
        credentials = boto3.Session().get_credentials()
    if credentials is not None:
        found = credentials.get_frozen_credentials()
        options |= {
            "aws_access_key_id": found.access_key,
            "aws_secret_access_key": found.secret_key,
        }
        if found.token:
            options["aws_session_token"] = found.token
    if endpoint := own_endpoint():
        options |= {"aws_endpoint": endpoint, "aws_allow_http": "true"}
    return options
