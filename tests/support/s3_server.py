"""A server of S3 on loopback (moto's), which boto3, S3A and delta-rs ask alike, and which can fail."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conf.settings import Settings
from lake import aws
from lake.storage.connectors import S3A

KEY, SECRET = "AKIAEXAMPLE", "example-secret"
SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)

Trouble = Callable[[str, str], "str | None"]
"""From a request's method and path: `503`, `silence`, `lost` (it is done, and answered by 503), or None where
nothing is wrong."""


class Server:
    """Starts when it is first used. `trouble` is asked about each request."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.trouble: Trouble | None = None
        self.troubled = 0
        self.buckets = 0
        self._server: Any = None
        self._one = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "eu-west-3",
            "AWS_REGION": "eu-west-3",
        }

    @property
    def session(self) -> list[str]:
        """What makes a session of Spark ask this server, as settings."""
        spark = Settings.load("local", environment={}).spark
        config = S3A | {
            "spark.hadoop.fs.s3a.endpoint": self.url,
            "spark.hadoop.fs.s3a.endpoint.region": "eu-west-3",
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
            "spark.hadoop.fs.s3a.aws.credentials.provider": (
                "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
            ),
            "spark.hadoop.fs.s3a.access.key": KEY,
            "spark.hadoop.fs.s3a.secret.key": SECRET,
            "spark.hadoop.fs.s3a.connection.timeout": "3s",
            "spark.hadoop.fs.s3a.attempts.maximum": "2",
            "spark.hadoop.fs.s3a.retry.limit": "4",
            "spark.hadoop.fs.s3a.retry.interval": "20ms",
            "spark.hadoop.fs.s3a.retry.throttle.limit": "6",
            "spark.hadoop.fs.s3a.retry.throttle.interval": "20ms",
        }
        # Workers are children of a Java that was started before any test.
        config |= {f"spark.executorEnv.{name}": v for name, v in self._environment.items()}
        return [
            f"spark.packages={spark.packages},{spark.s3_packages}",
            *(f"spark.config.{key}={value}" for key, value in config.items()),
        ]

    @contextmanager
    def used(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """What boto3 and delta-rs find S3 to be for a while."""
        self._start()
        for name, value in self._environment.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        aws.client.cache_clear()
        self.trouble, self.troubled = None, 0
        yield
        self.trouble = None
        aws.client.cache_clear()

    def bucket(self, name: str, *, region: str = "eu-west-3", versioned: bool = False) -> str:
        """A new bucket, encrypted and closed to the public; returns its name, which begins so."""
        self.buckets += 1
        name = f"{name}-{self.buckets}"
        s3 = aws.client("s3", region)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        closed = (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
        s3.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(closed, True)
        )
        if versioned:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def copied(self, root: str | Path, paths: Iterable[Path]) -> str:
        """Those of some paths under the root of a lake that are files, in a new bucket; returns the root of
        the lake there. Hadoop's checksums of its files on a disk stay behind."""
        bucket = self.bucket("copied")
        for path in paths:
            if path.is_file() and not path.name.endswith(".crc"):
                key = f"lake/{path.relative_to(root).as_posix()}"
                aws.client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
        return f"s3://{bucket}/lake"

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()

    def _start(self) -> None:
        if self._server is not None:
            return
        import logging

        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._app = DomainDispatcherApplication(create_backend_app)
        # Moto lists its folders for each request.
        self._app.get_backend_for_host = cache(self._app.get_backend_for_host)
        self._server = make_server("127.0.0.1", self.port, self._answer, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        trouble = self.trouble
        what = trouble(environ["REQUEST_METHOD"], environ["PATH_INFO"]) if trouble else None
        if what is None:
            # S3 compares and writes as one; moto's threads could come between.
            with self._one if environ["REQUEST_METHOD"] in ("PUT", "DELETE") else nullcontext():
                return self._app(environ, start_response)
        self.troubled += 1
        if what == "silence":
            time.sleep(6)
        if what == "lost":
            list(self._app(environ, lambda *_: None))
        else:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("503 Slow Down", [("Content-Type", "application/xml")])
        return [SLOW_DOWN]
