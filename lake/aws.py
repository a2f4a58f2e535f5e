"""Calls to AWS: clients that wait and try again, and errors that are one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from conf.errors import BadInput, FruitLakeError

ATTEMPTS = 8
"""The number of times that a call is made before its error counts. A bucket that throttles asks callers to
wait."""

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
    """Return this process' client of a service. boto3 finds the credentials, the profile and the endpoint.

    `region` is the caller's default one unless it is given, and `attempts` is ATTEMPTS. `seconds` is the time
    to wait for an answer.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts or ATTEMPTS},
        connect_timeout=min(10, seconds),
        read_timeout=seconds,
        max_pool_connections=32,
    )
    # boto3's default session is not safe for several threads, and it keeps the first credentials that it
    # finds.
    return boto3.Session().client(service, region_name=region, config=config)


def code(error: Exception) -> str:
    """Return the code that AWS gave to an error; an empty text where the error isn't from AWS."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def status(error: Exception) -> int:
    """Return the HTTP status of an answer of AWS that reports an error; 0 where AWS didn't answer."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn the errors of calls to AWS in this context into errors of the product, one sentence each.

    `what` says in the sentence what AWS was asked for, such as `the bucket photos` or `to launch the
    cluster`. Raises BadInput where credentials are missing, expired or not sufficient, or where AWS refuses
    the request; FruitLakeError where a quota is used up, or where AWS throttles or is silent at every
    attempt.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise translated(error, what) from error


def translated(error: Exception, what: str) -> FruitLakeError:
    """Return the error of the product for one of botocore's errors, as `asking` raises it."""
    from botocore import exceptions as theirs

    if isinstance(error, theirs.NoCredentialsError | theirs.PartialCredentialsError):
        return BadInput(
            f"AWS was asked ({what}), and there are no credentials: log in (aws configure sso, aws sso "
            f"login), or set AWS_PROFILE."
        )
    if isinstance(error, theirs.ProfileNotFound | theirs.NoRegionError):
        return BadInput(f"AWS was asked ({what}): {str(error).rstrip('.')}; correct that setting.")
    if isinstance(error, theirs.ClientError):
        return _answered(error, what)
    return FruitLakeError(
        f"AWS was asked ({what}) and did not answer ({type(error).__name__}); check the network, and run "
        f"the same command again."
    )


def _answered(error: Exception, what: str) -> FruitLakeError:
    """Return the error for an answer of AWS that reports one, by its code."""
    name, details = code(error), getattr(error, "response", {}).get("Error", {})
    message = str(details.get("Message", "")).strip().rstrip(".") or "no reason given"
    if name in DENIED:
        return BadInput(
            f"AWS denies {what} to these credentials ({message}); grant it (run.py emr policies writes "
            f"the policies), or use other credentials."
        )
    if name in EXPIRED:
        return BadInput(
            f"AWS was asked ({what}): the credentials are not valid ({name}); log in again."
        )
    if name in QUOTAS or "quota" in message.lower() or "limit exceeded" in message.lower():
        return FruitLakeError(
            f"A quota of the account doesn't allow this request: {what} ({message}). Ask for a higher "
            f"quota under Service Quotas, or use less, and run the same command again."
        )
    if name in THROTTLED:
        return FruitLakeError(
            f"AWS refuses {what} for now, because there are too many requests ({name}); run the same command "
            f"again later."
        )
    return BadInput(f"AWS refuses {what}: {message} ({name}).")
