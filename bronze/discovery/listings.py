"""What a run lists of the landing folder: all of it, or what the way of the settings finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from bronze.discovery.days import Days
from bronze.discovery.earlier_runs import EarlierRuns
from bronze.discovery.way import Way
from bronze.landing import Landing, Listing, overlap
from conf.errors import BadInput, Refused
from conf.settings import LandingSettings, Settings
from lake import catalog, metric_names
from lake.context import Context
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun
from lake.storage.addresses import is_s3
from lake.storage.locate import folder


def listings(context: Context, landing: Landing) -> Iterator[Listing]:
    """Yield what this run looks at of the landing folder, one part after the other.

    Whoever asks for the next one, or for the end, has committed all that was new in those before. At the end
    it is recorded how this run looked, for later ones. Raises BadInput where what the way needs isn't there.
    """
    settings, lake = context.settings.landing, context.lake
    way = way_of(settings, landing, context.did)
    if way is None:
        yield landing
        return
    rule = rule_of(settings, landing, context.pseudonyms)
    earlier = EarlierRuns.of(
        lake,
        rule=rule,
        now=context.now,
        whole_after=min(timedelta(settings.whole_listing), way.remembers()),
    )
    yield from way.listings(earlier)
    context.did.measure(metric_names.LISTING_RULE, rule)
    context.did.measure(metric_names.OBJECTS_VERSION, lake.version(catalog.OBJECTS))


def way_of(settings: LandingSettings, landing: Landing, did: LayerRun) -> Way | None:
    """Return the way that the settings name; None for a listing of the whole folder in each run. `did` gets
    the notes of the way."""
    if settings.queue:
        # Loaded here, as it needs boto3.
        from bronze.discovery.event_queue import EventQueue
        from bronze.discovery.events import Events

        return Events(landing, EventQueue(settings.queue), did)
    if settings.inventory:
        from bronze.discovery.inventory import Inventory

        return Inventory(landing, settings.inventory)
    if settings.after:
        return Days(landing, settings.after, settings.look_back)
    return None


def check(settings: Settings) -> None:
    """Raise BadInput where the settings of the way contradict one another, and Refused where a queue lies
    where no data may lie: its messages have names of objects."""
    ways = settings.landing.other_ways
    if len(ways) > 1:
        named = " and ".join(f"landing.{each}" for each in ways)
        raise BadInput(
            f"{named} are set, and each names another way to find new objects; leave all but one empty."
        )
    landing = settings.paths.landing
    for each in {"queue", "inventory"} & set(ways):
        if not is_s3(landing):
            raise BadInput(
                f"landing.{each} tells of objects in S3, and the landing folder {landing} lies on this "
                f"machine; name one in S3 with --landing, or leave landing.{each} empty."
            )
    inventory, queue = settings.landing.inventory, settings.landing.queue
    if inventory and overlap(landing, inventory):
        raise BadInput(
            f"landing.inventory = {inventory} and the landing folder {landing} lie in one another, so files "
            f"of one would be taken for those of the other; let S3 write inventories elsewhere."
        )
    if queue and (region := queue.split(":")[3]) not in settings.buckets.regions:
        raise Refused(
            f"The queue {queue} lies in {region}, which is none of buckets.regions "
            f"({', '.join(settings.buckets.regions)}), and its messages have names of objects; make one "
            f"beside the bucket."
        )


def rule_of(settings: LandingSettings, landing: Landing, pseudonyms: Pseudonyms) -> int:
    """Return the number of the landing folder and of the way in which new objects are found there: another
    one where an object may have been missed because either was different."""
    told = [folder(landing.root).root, sorted(settings.passed_over)]
    told += [[name, getattr(settings, name)] for name in settings.other_ways]
    # 48 bits, which a float has, too
    return int(pseudonyms.path(json.dumps(told))[:12], 16)
