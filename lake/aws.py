"""Calls of AWS: clients that wait and try again, and errors as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from conf.errors import BadInput, FruitLakeError

ATTEMPTS = 8
"""How often a call is made before its error counts: a bucket that throttles asks for patience."""

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId")
THROTTLED = ("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "503")
QUOTAS = (
    "LimitExceeded",
    "LimitExceededException",
    "ServiceQuotaExceededException",
    "VcpuLimitExceeded",
    "InstanceLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "TooManyBuckets",
)


@cache
def client(
    service: str, region: str | None = None, *, attempts: int | None = None, seconds: float = 30
) -> Any:
    """This process' client of a service. Credentials, profile and endpoint are those of boto3's own chain.

    `region`: where it isn't the caller's default one; `attempts`: where they aren't ATTEMPTS. An answer is
    waited for so many `seconds`.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts or ATTEMPTS},
        connect_timeout=min(10, seconds),
        read_timeout=seconds,
        max_pool_connections=32,
    )
    # boto3's default session is of one thread, and keeps the first credentials that it finds.
    return boto3.Session().client(service, region_name=region, config=config)


def code(error: Exception) -> str:
    """What AWS calls an error; empty for one that isn't from AWS."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Calls within raise our own errors, one sentence each: `what` says in it what was asked, as `the bucket
    photos` or `to launch the cluster`.

    Raises BadInput (no credentials, expired ones, denied, not there, a parameter that AWS refuses) or
    FruitLakeError (a quota, throttling or silence that outlasted every attempt).
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise translated(error, what) from error


def translated(error: Exception, what: str) -> FruitLakeError:
    """The error of ours that stands for one of botocore's."""
    from botocore import exceptions as theirs

    if isinstance(error, theirs.NoCredentialsError | theirs.PartialCredentialsError):
        return BadInput(
            f"AWS was asked for {what}, and there are no credentials: log in (aws configure sso, aws sso "
            f"login), or set AWS_PROFILE."
        )
    if isinstance(error, theirs.ProfileNotFound | theirs.NoRegionError):
        return BadInput(f"AWS was asked for {what}: {str(error).rstrip('.')}; set it right.")
    if isinstance(error, theirs.ClientError):
        return _answered(error, what)
    return FruitLakeError(
        f"AWS was asked for {what}, and did not answer ({type(error).__name__}); see to the network, and run "
        f"the same command again."
    )


def _answered(error: Exception, what: str) -> FruitLakeError:
    name, details = code(error), getattr(error, "response", {}).get("Error", {})
    message = str(details.get("Message", "")).strip().rstrip(".") or "no reason given"
    if name in DENIED:
        return BadInput(
            f"AWS denies {what} to these credentials ({message}); grant it (run.py emr policies writes who "
            f"may do what), or use others."
        )
    if name in EXPIRED:
        return BadInput(
            f"AWS was asked for {what}: the credentials are not valid ({name}); log in again."
        )
    if name in QUOTAS or "quota" in message.lower() or "limit exceeded" in message.lower():
        return FruitLakeError(
            f"A quota of the account stands in the way of {what} ({message}); ask for more under Service "
            f"Quotas, or take less, and run the same command again."
        )
    if name in THROTTLED:
        return FruitLakeError(
            f"AWS throttles {what} ({name}), at each of several attempts; run the same command again later."
        )
    return BadInput(f"AWS refuses {what}: {message} ({name}).")
