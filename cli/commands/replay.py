"""`replay`: quarantined photos through the gates again, rejected objects through bronze again, photos with
the labels of now, a blocked chunk into quarantine, or one that can't be finished out of the tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rich.console import Console

from bronze import bronze_layer, label_claims, rejection_replay
from bronze.landing import Landing
from cli.command import Words, whole_number
from cli.lake_access import existing_lake, writing
from cli.step_runner import run_steps
from conf.errors import BadInput
from conf.settings import Settings
from gold import gold_layer
from lake.chunks import Chunk, ChunkState
from lake.context import Context
from lake.enums import GOLD
from lake.readable_lake import Lake
from privacy import relabelling, tombstones
from privacy.chunk_withdrawal import drop
from privacy.finish_chunks import finish_half_published
from silver import silver_layer
from silver.quarantine_replay import replay


def run(words: Words, settings: Settings, console: Console) -> None:
    """Replays quarantined photos, or rejected objects, all or those of one reason; or gives photos the labels
    of now; or releases a blocked chunk, or drops a lost one."""
    existing_lake(settings)
    number = whole_number(words, "chunk")
    do: Callable[[Context], None] = partial(replay_step, reason=words.reason, number=number)
    if words.rejected:
        do = partial(replay_rejected, reason=words.reason)
    if words.labels:
        do = replay_labels
    if words.drop:
        assert number is not None
        do = partial(drop, number=number)
    with writing(settings, console) as context:
        run_steps(context, [("replay", do)])


def replay_step(context: Context, *, reason: str | None, number: int | None) -> None:
    """Replays the photos of a reason, or releases the chunk of a number. Raises BadInput where there is no
    such reason or blocked chunk, Blocked."""
    if number is not None:
        release(context, blocked_chunk(context.lake, number))
        return
    replay(context, reason=reason)
    if context.did.counts.get("kept"):
        context.did.notes.append(
            "photos that passed are in silver; run.py --layer gold makes their features."
        )


def replay_rejected(context: Context, *, reason: str | None) -> None:
    """Takes rejected objects, all or those of a reason, through bronze again. Raises BadInput where there is
    no such reason or no landing folder."""
    barred = tombstones.holding(context.lake)
    rejection_replay.replay(context, reason=reason, tombstones=barred)


def replay_labels(context: Context) -> None:
    """Gives photos the labels that the settings of now tell of their objects in the landing folder. Raises
    BadInput where there is no such folder, or it can't be listed; Blocked."""
    landing = Landing.of(context.settings)
    landing.check()
    finish_half_published(context)
    with bronze_layer.listed(context, landing) as found:
        if not label_claims.can_be_judged(found.counts, context.did):
            return
        corrections = label_claims.corrections_by_rule(context.lake, found, now=context.now)
    relabelling.relabel(context, corrections)
    if not corrections.photos:
        context.did.notes.append(
            "no photo gets another label: what the settings tell of the objects in the landing folder "
            "gives none."
        )


def release(context: Context, chunk: Chunk) -> None:
    """Lets the chunks after a blocked one pass: its photos go into quarantine, a gold chunk is dropped."""
    if chunk.layer == GOLD:
        gold_layer.release(context, chunk)
    else:
        silver_layer.release(context, chunk)


def blocked_chunk(lake: Lake, number: int) -> Chunk:
    """The blocked chunk of that number. Raises BadInput where no chunk of that number is blocked."""
    chunks = lake.ledger.chunks()
    blocked = [str(n) for n, chunk in chunks.items() if chunk.state is ChunkState.BLOCKED]
    if str(number) not in blocked:
        raise BadInput(
            f"Chunk {number} is not blocked; the blocked ones are: {', '.join(blocked) or 'none'}."
        )
    return chunks[number]
