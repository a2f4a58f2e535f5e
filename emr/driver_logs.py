"""The log of a step's driver, which YARN keeps on a node and EMR brings to S3, every five minutes."""

from __future__ import annotations

import gzip
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console

from conf.settings import EmrSettings
from emr.launch_request import log_root
from lake import aws
from lake.storage import addresses
from lake.storage.locate import folder

LINES = 40
"""The end of a log: as much as a screen shows."""

APPLICATION = re.compile(r"application_\d+_\d+")
DRIVER = re.compile(r"/container_[^/]*_000001/")
"""YARN's first container of an application holds its driver, in cluster mode."""

ERROR = re.compile(r"^error: (.+)$", re.MULTILINE)
"""What run.py says of a failure. YARN passes no exit code on but 0 and 1."""


@dataclass(frozen=True)
class DriverLog:
    """The ends of what a driver wrote, by the address of each file; `application`: its id of YARN."""

    application: str
    ends: dict[str, str]

    @property
    def error(self) -> str | None:
        """What run.py said last of a failure."""
        found = [line for end in self.ends.values() for line in ERROR.findall(end)]
        return found[-1].strip() if found else None


def driver_log(own: EmrSettings, cluster_id: str, step_id: str) -> DriverLog | None:
    """None while it isn't in S3, or where the step never became an application. Raises as `aws.asking`."""
    root = f"{log_root(own)}/{cluster_id}"
    submitted = [_whole(uri) for uri in _under(f"{root}/steps/{step_id}/") if "/stderr" in uri]
    found = [name for text in submitted for name in APPLICATION.findall(text)]
    if not found:
        return None
    application = found[-1]
    containers = [uri for uri in _under(f"{root}/containers/{application}/") if DRIVER.search(uri)]
    if not containers:
        return None
    # A second attempt has a container of its own, with a higher number.
    last = max(uri.rpartition("/")[0] for uri in containers)
    ends = {uri: _end(uri) for uri in containers if uri.startswith(f"{last}/")}
    return DriverLog(application, ends)


def step_log(own: EmrSettings, cluster_id: str, step_id: str) -> dict[str, str]:
    """The ends of what spark-submit itself wrote, by address; empty while EMR has not brought it."""
    return {
        uri: _end(uri)
        for uri in _under(f"{log_root(own)}/{cluster_id}/steps/{step_id}/")
        if "/stderr" in uri
    }


def _under(uri: str) -> list[str]:
    """Addresses of the objects under one."""
    place = folder(uri.rstrip("/"))
    return [place.uri(name) for name in place.current("")]


def _whole(uri: str) -> str:
    return "".join(_lines(uri, None))


def _end(uri: str) -> str:
    return "".join(_lines(uri, LINES))


def _lines(uri: str, last: int | None) -> deque[str]:
    """The last lines of a gzipped text, read as a stream: a driver may have written much."""
    bucket, key = addresses.bucket_and_prefix(uri)
    with aws.asking(f"the log {uri}"):
        body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        with gzip.open(body, "rt", encoding="utf-8", errors="replace") as text:
            return deque(text, maxlen=last)


def show(console: Console, ends: Mapping[str, str]) -> None:
    """Prints the ends of log files, each under its address."""
    for uri, end in ends.items():
        console.print(uri, style="bold", markup=False, soft_wrap=True)
        console.print(end.rstrip() or "(empty)", markup=False, soft_wrap=True)
