"""Objects that messages in a queue name: looked at once, and forgotten by the queue only after the commit."""

import time

import pytest
from botocore.stub import Stubber

from bronze.discovery import event_queue, events, listings
from bronze.discovery.event_queue import EventQueue
from bronze.landing import Landing, ListingCounts
from conf.errors import BadInput, BadSettings, Refused
from conf.settings import Settings
from lake import aws, catalog, metric_names
from lake.storage.locate import folder
from tests.support.bucket_events import REGION, Queue, event_bridge, notification, sns
from tests.support.looking_runs import LookingRuns
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake


@pytest.fixture
def queue(s3, monkeypatch):
    monkeypatch.setattr(event_queue, "WAIT_SECONDS", 0)
    return Queue()


@pytest.fixture
def runs(queue, s3, tmp_path):
    """Runs over a bucket, of which one has listed all."""
    root = f"s3://{s3.bucket('landing')}/app/photos"
    folder(root).write("old.jpg", b"x")
    with small_lake(tmp_path / "lake") as lake:
        write(lake.files.root, catalog.OBJECTS, [{"object": "known", "etag": "e"}])
        found = LookingRuns(lake, root, [f"landing.queue={queue.arn}"])
        assert found.look(0) == {"old.jpg"}
        assert found.whole == [True]
        yield found


def send(runs, queue, *names, form=notification):
    """Objects, with a message about each."""
    for name in names:
        folder(runs.root).write(name, name.encode())
        queue.send(form(folder(runs.root).bucket, f"app/photos/{name}"))


@pytest.mark.parametrize(
    "form",
    [
        notification,
        event_bridge,
        lambda *words: sns(notification(*words)),
        lambda *words: sns(event_bridge(*words)),
    ],
)
def test_what_messages_name_is_looked_at_and_nothing_else(runs, queue, form):
    names = {"a:b.jpg", "two words+1.jpg", "é ü#?.jpg", "a%20b+c.jpg", "subject=zoë/2026/x.jpg"}
    send(runs, queue, *names, form=form)
    folder(runs.root).write("unnamed.jpg", b"x")
    assert runs.look(1) == names
    assert runs.whole == [False]
    assert queue.counts() == (0, 0)
    assert runs.look(2) == set()


def test_what_is_told_of_an_object_is_what_a_listing_tells(runs, queue):
    place = folder(runs.root)
    for name, kind in (("a.jpg", "STANDARD"), ("b.jpg", "GLACIER")):
        key = f"{place.prefix}/{name}"
        aws.client("s3").put_object(Bucket=place.bucket, Key=key, Body=b"12", StorageClass=kind)
        queue.send(notification(place.bucket, key))
    named = []

    def taking(listing):
        if not listing.is_whole:
            named.extend(listing.objects(ListingCounts()))

    runs.look(1, taking=taking)
    listed = [each for each in Landing(runs.root).objects() if each.path != "old.jpg"]
    assert sorted(named, key=lambda each: each.path) == listed
    assert [each.is_archived for each in listed] == [False, True]


def test_an_object_of_many_messages_is_looked_at_once_and_one_that_went_is_no_fault(runs, queue):
    send(runs, queue, "a.jpg", "a.jpg", "a.jpg", "gone.jpg", "a.jpg.part")
    send(runs, queue, "a.jpg", form=event_bridge)
    folder(runs.root).delete("gone.jpg")
    queue.send(notification(folder(runs.root).bucket, "app/photos/a.j"))
    runs.look(1)
    assert runs.names == ["a.jpg"]
    assert queue.counts() == (0, 0)
    assert runs.did.notes == []


def test_what_lies_elsewhere_is_left_out_and_noted(runs, queue):
    bucket = folder(runs.root).bucket
    queue.send(notification(bucket, "app/photos-of-others/x.jpg"), notification("other", "a.jpg"))
    queue.send(notification(bucket, "app/photos/"))
    aws.client("s3").put_object(Bucket=bucket, Key="app/photos/", Body=b"")
    assert runs.look(1) == set()
    assert runs.did.notes == [
        f"2 objects that messages named lie outside the landing folder {runs.root}: give it a queue of its "
        f"own, with its prefix as a filter."
    ]
    assert queue.counts() == (0, 0)


def test_a_message_that_nobody_can_read_stays_and_the_run_ends(runs, queue, monkeypatch):
    monkeypatch.setattr(event_queue, "HIDDEN_SECONDS", 0)  # it comes again at once
    monkeypatch.setattr(events, "MOST", 20)
    queue.send("hello", '{"Records": 1}')
    send(runs, queue, "a.jpg")
    assert runs.look(1) == {"a.jpg"}
    assert sum(queue.counts()) == 2
    assert runs.did.notes == [
        f"2 messages in the queue {queue.arn} can't be read as events of a bucket, and stay there: see who "
        f"sends them, and give the queue a dead-letter queue for them."
    ]


def test_messages_are_deleted_after_what_they_name_was_taken_in(runs, queue):
    send(runs, queue, "a.jpg")
    seen = []
    runs.look(1, taking=lambda listing: seen.append(sum(queue.counts())))
    assert seen[0] == 1
    assert queue.counts() == (0, 0)


def test_a_killed_run_leaves_its_messages(runs, queue, monkeypatch):
    monkeypatch.setattr(event_queue, "HIDDEN_SECONDS", 1)
    send(runs, queue, "a.jpg", "b.jpg")

    def killed(listing):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.look(1, taking=killed)
    assert sum(queue.counts()) == 2
    time.sleep(1.1)
    assert runs.look(2) == {"a.jpg", "b.jpg"}


def test_many_messages_are_taken_in_rounds_each_deleted_before_the_next(runs, queue, monkeypatch):
    """There is one asker, because a queue may give two of them the same message."""
    monkeypatch.setattr(events, "MOST", 20)
    monkeypatch.setattr(event_queue, "THREADS", 1)
    names = [f"{n}.jpg" for n in range(47)]
    send(runs, queue, *names)
    left = []
    assert runs.look(1, taking=lambda _: left.append(queue.counts())) == set(names)
    assert [len(runs.whole), max(hidden for _, hidden in left)] == [3, 20]
    assert [waiting + hidden for waiting, hidden in left] == [47, 27, 7]


def test_what_comes_while_a_run_goes_on_does_not_keep_it_for_ever(runs, queue):
    send(runs, queue, "a.jpg")
    sent = []

    def taking(listing):
        sent.append(f"{len(sent)}.jpg")
        time.sleep(0.01)
        send(runs, queue, sent[-1])

    runs.look(1, taking=taking)
    assert len(sent) <= 3


def failing(call, code, monkeypatch):
    """The queue's service answers a call with an error."""
    client = aws.client("sqs", REGION)
    real = getattr(client, call)
    stub = Stubber(client)

    def fails(**words):
        with stub:
            stub.add_client_error(call, code, http_status_code=403)
            return real(**words)

    monkeypatch.setattr(client, call, fails)


def test_messages_that_can_not_be_deleted_are_noted_and_harmless(runs, queue, monkeypatch):
    send(runs, queue, "a.jpg")
    with monkeypatch.context() as patch:
        patch.setattr(event_queue, "HIDDEN_SECONDS", 0)
        patch.setattr(events, "MOST", 20)
        failing("delete_message_batch", "AccessDenied", patch)
        assert runs.look(1) == {"a.jpg"}
    assert runs.did.notes == [
        f"1 messages could not be deleted from the queue {queue.arn}: grant sqs:DeleteMessage, if it isn't "
        f"that what they name took more than an hour. They come again, and nothing is taken in twice."
    ]
    assert runs.look(2) == {"a.jpg"}
    assert queue.counts() == (0, 0)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("get_queue_url", "AccessDenied"),
        ("get_queue_attributes", "AccessDenied"),
        ("receive_message", "AccessDeniedException"),
    ],
)
def test_no_right_to_the_queue_is_told(runs, queue, monkeypatch, call, code):
    failing(call, code, monkeypatch)
    with pytest.raises(BadInput) as told:
        runs.look(1)
    assert str(told.value).startswith(f"AWS denies the queue {queue.arn} to these credentials")


def test_too_many_messages_in_flight_end_a_round(runs, queue, monkeypatch):
    send(runs, queue, "a.jpg")
    failing("receive_message", "OverLimit", monkeypatch)
    assert runs.look(1) == set()


def test_a_queue_that_is_not_there_is_told(runs, queue):
    arn = f"{queue.arn}-other"
    with pytest.raises(BadInput) as told:
        runs.look(1, f"landing.queue={arn}")
    assert str(told.value) == (
        f"There is no queue {arn}: make it as docs/discovery.md says, or correct landing.queue."
    )


def test_all_is_listed_before_a_message_sent_since_the_last_listing_can_be_lost(runs, queue):
    runs.look(1)
    assert EventQueue(queue.arn).retention().days == 4
    runs.look(3.9)
    assert runs.whole == [False]
    folder(runs.root).write("lost.jpg", b"x")
    assert "lost.jpg" in runs.look(4)
    assert runs.whole == [True]


def test_a_run_that_lists_all_leaves_the_messages_to_the_next_one(runs, queue):
    send(runs, queue, "a.jpg")
    assert "a.jpg" in runs.look(20)
    assert runs.whole == [True]
    assert runs.did.measured[metric_names.LISTED] == 2
    assert queue.counts() == (1, 0)
    assert runs.look(21) == {"a.jpg"}
    assert queue.counts() == (0, 0)


def test_a_run_over_another_folder_that_dies_loses_no_message(runs, queue, s3):
    other = f"s3://{s3.bucket('other')}/photos"
    send(runs, queue, "a.jpg")
    folder(other).write("b.jpg", b"x")
    runs.look(1, f"paths.landing={other}", status="")
    assert queue.counts() == (1, 0)
    assert runs.look(2) == {"a.jpg"}


def checked(*overrides):
    listings.check(Settings.load("local", environment={}, overrides=overrides))


QUEUE = f"landing.queue=arn:aws:sqs:{REGION}:123456789012:photos"


def test_settings_that_contradict_one_another_are_refused():
    checked(QUEUE, "paths.landing=s3://b/x")
    with pytest.raises(BadInput, match=r"^landing.queue tells of objects in S3, and the landing"):
        checked(QUEUE)
    with pytest.raises(BadInput, match=r"^landing.after and landing.queue are set, and each names"):
        checked(QUEUE, "paths.landing=s3://b/x", "landing.after=%Y%m%d")
    with pytest.raises(Refused, match=r"lies in us-east-1, which is none of buckets.regions \(eu-"):
        checked("landing.queue=arn:aws:sqs:us-east-1:123456789012:p", "paths.landing=s3://b/x")


@pytest.mark.parametrize(
    "arn",
    [
        *("photos", "https://sqs.eu-west-3.amazonaws.com/1/photos", "arn:x"),
        f"arn:aws:sqs:{REGION}:123456789012:photos.fifo",
    ],
)
def test_a_queue_is_named_by_its_arn(arn):
    with pytest.raises(BadSettings) as told:
        checked(f"landing.queue={arn}")
    assert "give the ARN of a standard queue of SQS (arn:aws:sqs:…), or an empty text" in str(
        told.value
    )
