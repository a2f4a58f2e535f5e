"""Requests to S3 that more than one part of the project makes, and their errors as our own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from conf.errors import BadInput, FruitLakeError
from lake import aws
from lake.storage.addresses import S3

ABSENT = ("NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404")
"""Codes by which S3 says that an object is not there."""

CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
"""Codes by which S3 says that an object is not the expected version."""

CALLERS = (
    *aws.EXPIRED,
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidSecurity",
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "AuthorizationHeaderMalformed",
    "AccountProblem",
    "AllAccessDisabled",
    "NotSignedUp",
)
"""Codes by which S3 says that it doesn't know who asks: whatever is asked for, the answer is the same."""

BUCKETS = (
    "NoSuchBucket",
    "InvalidBucketName",
    "PermanentRedirect",
    "TemporaryRedirect",
    "IllegalLocationConstraintException",
)
"""Codes by which S3 says that there is no such bucket here."""

BUSY = re.compile(
    "throttl|slowdown|timeout|toomanyrequests|limitexceeded|^(408|429)$", re.IGNORECASE
)
"""What stands in the codes by which S3, or the service of its keys, asks to be asked again later."""

EMPTY = ("InvalidRange", "416")
"""Codes by which S3 says that there is no such byte: an object without bytes."""

READS = 4
"""How often the bytes of an object are asked for before a broken connection counts as an error."""


DELETED_AT_ONCE = 1000
"""The most objects that one request deletes."""


class StorageFailed(FruitLakeError, OSError):
    """A bucket denies, throttles or does not answer. The message says what to do; `code` is AWS's name for
    that, and `status` the HTTP status of its answer, 0 where there was none."""

    def __init__(self, cause: FruitLakeError, *, code: str, status: int = 0) -> None:
        super().__init__(str(cause))
        self.exit_code = cause.exit_code
        self.code = code
        self.status = status

    @property
    def is_of_object(self) -> bool:
        """Whether an answer to a request for one object is about that object, while others can be read: its
        access is denied, it is archived, its key is disabled or lost, it needs a key of the customer's.

        That is every refusal (4xx) that is about neither the caller nor the bucket, and asks for no patience.
        """
        return (
            400 <= self.status < 500
            and self.code not in (*CALLERS, *BUCKETS)
            and not BUSY.search(self.code)
        )


@contextmanager
def requests(what: str) -> Iterator[None]:
    """Requests to S3 within raise FileNotFoundError (there is no such object) or StorageFailed; `what` names
    in the message what was asked for."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        name = aws.code(error)
        if name in ABSENT:
            raise FileNotFoundError(what) from error
        raise StorageFailed(
            aws.translated(error, what), code=name, status=aws.status(error)
        ) from error


def content_of(what: str, **which: Any) -> tuple[bytes, str]:
    """The bytes of an object and its ETag. Raises as `requests`.

    A connection may break while the bytes arrive; boto3 doesn't try that again, so it is done here.
    """
    from botocore.exceptions import BotoCoreError

    for attempt in range(READS):
        with requests(what):
            found = aws.client("s3").get_object(**which)
            try:
                with closing(found["Body"]) as body:
                    return bytes(body.read()), found["ETag"]
            except BotoCoreError:
                if attempt == READS - 1:
                    raise
    raise AssertionError("unreachable")


def bucket_region(bucket: str) -> str:
    """The region in which a bucket lies. Raises StorageFailed, and BadInput where there is no such bucket."""
    try:
        with requests(f"the location of the bucket {bucket}"):
            found = aws.client("s3").get_bucket_location(Bucket=bucket)
    except StorageFailed as error:
        if error.code == "NoSuchBucket":
            raise BadInput(
                f"There is no bucket {bucket}: name your own, or create it (run.py emr policies --apply)."
            ) from None
        raise
    return {None: "us-east-1", "EU": "eu-west-1"}.get(
        found["LocationConstraint"], found["LocationConstraint"]
    )


def own_endpoint() -> str | None:
    """The address at which S3 is asked, where it is none of AWS's own: `AWS_ENDPOINT_URL`, or a profile's."""
    url: str = aws.client("s3").meta.endpoint_url
    return None if url.rstrip("/").endswith((".amazonaws.com", ".amazonaws.com.cn")) else url


def delete_objects(bucket: str, keys: Sequence[str], *, check: Callable[[], None]) -> None:
    """Delete objects of a bucket; `check` is called before each request. Raises StorageFailed."""
    for first in range(0, len(keys), DELETED_AT_ONCE):
        objects = [{"Key": key} for key in keys[first : first + DELETED_AT_ONCE]]
        check()
        answer = aws.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": objects})
        for failed in answer.get("Errors", []):
            refusal = FruitLakeError(
                f"{S3}{bucket}/{failed['Key']} can't be deleted ({failed.get('Code')}); grant the right "
                f"to delete it, and run the same command again."
            )
            raise StorageFailed(refusal, code=failed.get("Code", ""))
