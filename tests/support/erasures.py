"""Erasures of the canary, as the command does them."""

from lake.run_journal import LayerRun
from privacy import commands
from privacy.erasure.erase import erase
from tests.support.canary import SUBJECT

REQUEST = "request-1"


def erased(place, *, mode="immediate", request=REQUEST, subject=SUBJECT, now=None):
    """What the command does, in a run of its own."""
    with place.writing() as context:
        did = LayerRun("erase")
        desk = commands.desk(context, did, now=now)
        return erase(desk, subject=subject, request=request, mode=mode)
