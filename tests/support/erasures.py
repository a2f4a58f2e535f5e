"""Erasures of the canary, as the command does them."""

from lake import lake_format
from lake.enums import ERASE, ErasureMode
from privacy.erasure import request_journal
from privacy.erasure.erase import erase
from tests.support.canary import SUBJECT

REQUEST = "request-1"


def erased(
    place, *, mode=ErasureMode.IMMEDIATE, request=REQUEST, subject=SUBJECT, photo=None, now=None
):
    """Erases a subject, or one photo, in a run of its own, by the time `now`: what the command does."""
    whom = {"photo": photo} if photo else {"subject": subject}
    with place.writing() as context:
        step = context.step(ERASE, **({"now": now} if now else {}))
        return erase(step, **whom, request=request, mode=ErasureMode(mode))


def requests_of(place):
    """Every request of the lake in its last state, by its id."""
    keys = lake_format.pseudonyms_of(place.files, place.settings.subjects)
    return request_journal.last(place.lake, keys.certificates)
