"""Histories of whole lakes: each act is what a command does, with Spark."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from cli.commands.retain import retain
from cli.lake_access import writing
from conf.errors import Pending
from lake import catalog, secret_places
from lake.enums import ERASE, RESTORE, RETAIN, ErasureMode
from privacy import chunk_withdrawal, rekey
from privacy.erasure.erase import erase
from privacy.restore import restore
from tests.support.histories import History
from tests.support.lake_model import Held, Photo
from tests.support.place import Place

RARE = (
    "lose",
    "index",
    "empty_index",
    "compact",
    "erase_subject",
    "erase_photo",
    "expire",
    "restore",
    "rekey",
)
"""The acts between arrivals."""

PARTS = 3
"""The number of histories that have all RARE acts together."""


class WholeHistory(History):
    """A history that follows from its `seed`, with the names of its `acts`. Of RARE acts it has a part, each
    once, in an order of its own: PARTS seeds that follow one another have all of them."""

    place: Place

    def __init__(self, place: Place, seed: int) -> None:
        super().__init__(place, random.Random(seed))
        turn, part = divmod(seed, PARTS)
        rare = random.Random(turn).sample(RARE, len(RARE))[part::PARTS]
        self.acts = [each for act in rare for each in ("arrive", act)] + ["arrive"]
        self._keys = 0

    def lose(self) -> None:
        """A run dies half way; what it had staged is lost, and the chunk is dropped."""
        self._change()
        self._tell("run, and die half way; lose what is staged, and drop the chunk")
        self._dies("bronze: bronze/photos committed", self._chance.randint(1, 2))
        shutil.rmtree(self.place.root / "lake/staging", ignore_errors=True)
        with self.place.writing() as context:
            for chunk in context.lake.ledger.unfinished():
                chunk_withdrawal.drop(context, chunk.number)
        self._run()

    def _erased(self, *, subject: str | None = None, photo: Photo | None = None) -> None:
        modes = [ErasureMode.DEFERRED, ErasureMode.IMMEDIATE]
        mode, request = self._chance.choice(modes), f"request-{self.model.act}"
        whom = {"photo": self.contents.ids()[photo]} if photo else {"subject": subject}
        with self.place.writing() as context, suppress(Pending):
            erase(context.step(ERASE), **whom, request=request, mode=mode, is_exact=True)
        if mode is ErasureMode.IMMEDIATE:
            self._versions.clear()

    def _expired(self, until: datetime) -> None:
        now = until + timedelta(days=1)
        with self.place.writing() as context:
            retain(context.step(RETAIN, now=now))

    def _restored(self, version: int, then: dict[Photo, Held]) -> None:
        del then
        with self.place.writing() as context:
            restore(context.step(RESTORE), catalog.PHOTOS, version)

    def rekey(self) -> None:
        """The lake gets a new key."""
        self._tell("rekey")
        self._keys += 1
        settings, name = self.place.settings, f"file:{{lake}}.{self._keys}.key"
        with writing(settings, self.place.console, is_moving=True) as context:
            new = secret_places.load(name, lake=self.place.files.root, make=True)
            own = rekey.under(context.pseudonyms, new)
            rekey.rekey(replace(context, pseudonyms=own).step("rekey"))
        earlier = [settings.subjects.key, *settings.subjects.tombstone_keys]
        known = ", ".join(f'"{each}"' for each in earlier)
        keys = (f"subjects.key={name}", f"subjects.tombstone_keys=[{known}]")
        self.place = self.place.set(*self._settings, *keys)
        self._versions.clear()
