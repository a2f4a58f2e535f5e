"""What a message about an event in a bucket says: the objects to look at, whichever way it was sent.

S3 sends notifications to a queue itself, or to SNS, which wraps them; EventBridge sends events of a form of
its own. Messages arrive in any order, more than once, and late: so they only name objects, and what there is
of these now is asked of the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from lake.json_objects import json_object

Named = tuple[str, str]
"""The bucket and the key of an object."""

TEST = "s3:TestEvent"
"""What S3 sends once when somebody has set notifications up."""


def named_objects(body: str) -> list[Named] | None:
    """Return the objects that a message says something of, whatever happened to them: an object comes back
    when the marker of its deletion is deleted. None where it can't be read as a message about objects in a
    bucket."""
    message = json_object(body)
    if message is not None and message.get("Type") == "Notification":
        message = json_object(message.get("Message"))
    if message is None:
        return None
    try:
        if message.get("Event") == TEST:
            return []
        if message.get("source") == "aws.s3":
            return _of_event_bridge(message)
        return [each for record in message["Records"] for each in _of_record(record)]
    except (KeyError, TypeError, AttributeError):
        return None


def _of_record(record: Mapping[str, Any]) -> list[Named]:
    """Return the object of one record of a notification, whose key is encoded as in a form."""
    bucket, key = record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]
    return [(_text(bucket), unquote_plus(_text(key)))]


def _of_event_bridge(message: Mapping[str, Any]) -> list[Named]:
    """Return the object of an event. Its key is plain; where it looks encoded, that spelling is looked at,
    too, as an object that isn't there is no fault."""
    bucket = _text(message["detail"]["bucket"]["name"])
    key = _text(message["detail"]["object"]["key"])
    return [(bucket, each) for each in dict.fromkeys([key, unquote_plus(key)])]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
