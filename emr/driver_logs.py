"""The log of a step's driver. YARN keeps it on a node, and EMR copies it to S3 every five minutes."""

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

LAST_LINES = 40
"""How many lines of the end of a log are shown: as many as a screen has."""

APPLICATION_ID = re.compile(r"application_\d+_\d+")
DRIVER_CONTAINER = re.compile(r"/container_[^/]*_000001/")
"""In cluster mode, YARN's first container of an application holds its driver."""

ERROR_LINE = re.compile(r"^error: (.+)$", re.MULTILINE)
"""The line that run.py prints about a failure. YARN only passes on the exit codes 0 and 1."""


@dataclass(frozen=True)
class DriverLog:
    """The end of each log file of a driver, by the file's address. `application` is the id in YARN."""

    application: str
    ends: dict[str, str]

    @property
    def error(self) -> str | None:
        """The last error that run.py printed, without `error: `, or None where it printed none."""
        found = [line for end in self.ends.values() for line in ERROR_LINE.findall(end)]
        return found[-1].strip() if found else None


def driver_log(emr_settings: EmrSettings, cluster_id: str, step_id: str) -> DriverLog | None:
    """Return the log of a step's driver.

    Returns None while it isn't in S3 yet, or where the step never became a YARN application. Raises as
    `aws.asking`.
    """
    root = f"{log_root(emr_settings)}/{cluster_id}"
    step_logs = [uri for uri in _objects_under(f"{root}/steps/{step_id}/") if "/stderr" in uri]
    applications = [name for uri in step_logs for name in APPLICATION_ID.findall(_whole(uri))]
    if not applications:
        return None
    application = applications[-1]
    in_containers = _objects_under(f"{root}/containers/{application}/")
    driver_files = [uri for uri in in_containers if DRIVER_CONTAINER.search(uri)]
    if not driver_files:
        return None
    # A second attempt has a container of its own, with a higher number.
    last = max(uri.rpartition("/")[0] for uri in driver_files)
    ends = {uri: _end(uri) for uri in driver_files if uri.startswith(f"{last}/")}
    return DriverLog(application, ends)


def step_log(emr_settings: EmrSettings, cluster_id: str, step_id: str) -> dict[str, str]:
    """Return the end of each log file of spark-submit itself, by the file's address.

    Returns {} while EMR has not copied the files to S3.
    """
    return {
        uri: _end(uri)
        for uri in _objects_under(f"{log_root(emr_settings)}/{cluster_id}/steps/{step_id}/")
        if "/stderr" in uri
    }


def _objects_under(uri: str) -> list[str]:
    """The addresses of the objects under a prefix."""
    place = folder(uri.rstrip("/"))
    return [place.uri(name) for name in place.current("")]


def _whole(uri: str) -> str:
    return "".join(_lines(uri, None))


def _end(uri: str) -> str:
    return "".join(_lines(uri, LAST_LINES))


def _lines(uri: str, last: int | None) -> deque[str]:
    """Return the `last` lines of a gzipped text, or all where it is None.

    The text is read as a stream, because a driver may have written much.
    """
    bucket, key = addresses.bucket_and_prefix(uri)
    with aws.asking(f"the log {uri}"):
        body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        with gzip.open(body, "rt", encoding="utf-8", errors="replace") as text:
            return deque(text, maxlen=last)


def show(console: Console, ends: Mapping[str, str]) -> None:
    """Print the ends of log files, each below its address."""
    for uri, end in ends.items():
        console.print(uri, style="bold", markup=False, soft_wrap=True)
        console.print(end.rstrip() or "(empty)", markup=False, soft_wrap=True)
