"""Messages about events in a bucket, as S3, SNS and EventBridge send them, and what is none."""

import json

import pytest

from bronze.discovery.event_messages import named_objects
from tests.support.bucket_events import event_bridge, notification, record, sns


@pytest.mark.parametrize(
    "key",
    [
        "app/photos/a.jpg",
        "app/photos/two words.jpg",
        "a+b.jpg",
        "é/ü#?.jpg",
        "a%20b+c.jpg",
        "subject=zoë/2026/x",
        "100%.jpg",
    ],
)
def test_each_form_names_the_object_whatever_its_key(key):
    named = [("b", key)]
    assert named_objects(notification("b", key)) == named
    assert named_objects(sns(notification("b", key))) == named
    assert named[0] in named_objects(event_bridge("b", key))
    assert named[0] in named_objects(sns(event_bridge("b", key)))


def test_a_key_that_event_bridge_might_have_encoded_is_looked_at_in_both_spellings():
    assert named_objects(event_bridge("b", "two+words.jpg")) == [
        ("b", "two+words.jpg"),
        ("b", "two words.jpg"),
    ]


def test_a_message_may_have_several_records():
    records = [record("b", "1.jpg"), record("c", "2.jpg", event="s3:ObjectCreated:Copy")]
    assert named_objects(json.dumps({"Records": records})) == [("b", "1.jpg"), ("c", "2.jpg")]
    assert named_objects('{"Records": []}') == []


@pytest.mark.parametrize(
    "event",
    [
        *("ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload"),
        *("ObjectRestore:Completed", "ObjectTagging:Put", "SomethingNew:Done"),
        *("ObjectRemoved:Delete", "LifecycleExpiration:DeleteMarkerCreated"),
    ],
)
def test_whatever_happened_to_an_object_it_is_looked_at(event):
    """Also a deletion: of the marker of an earlier one, it brings the object back."""
    assert named_objects(notification("b", "a.jpg", event=event)) == [("b", "a.jpg")]
    assert named_objects(event_bridge("b", "a.jpg", event=event)) == [("b", "a.jpg")]


TEST = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "…", "Bucket": "b"}


def test_the_test_of_s3_names_nothing():
    assert named_objects(json.dumps(TEST)) == []
    assert named_objects(sns(json.dumps(TEST))) == []


@pytest.mark.parametrize(
    "body",
    [
        *("", "hello", "[]", "null", "1", '"x"', "{}", "{", '{"Records": 1}', '{"Records": [1]}'),
        *('{"Records": [{}]}', '{"Records": null}', '{"source": "aws.s3"}', "[" * 100_000),
        '{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}}}]}',
        '{"Type": "Notification", "Message": "hello"}',
        '{"Type": "Notification", "Message": {}}',
        '{"Type": "Notification"}',
        '{"Type": "SubscriptionConfirmation", "Token": "x"}',
        '{"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": 7}}}',
        '{"source": "aws.s3", "detail": []}',
    ],
)
def test_what_is_no_message_of_a_bucket_is_told_from_one_that_names_nothing(body):
    assert named_objects(body) is None
    assert named_objects(sns(body)) is None
