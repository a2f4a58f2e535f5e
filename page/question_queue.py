"""The queue of questions to the page: they are answered one at a time, and only a bounded number may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from fastapi import HTTPException

from conf.errors import FruitLakeError
from conf.settings import Settings
from lake.storage.folder import Folder
from page.photo_answers import Answer, Answers, LakeGone, LakeSnapshot
from report import thumbnails
from silver.decoder_process import Decoder
from silver.pixels import Limits

WAITING = 8
"""The most photos that arrive, wait or are answered at one time. Each may take photos.max_bytes of memory."""

PICTURES = 128
"""The most small pictures that wait or are made at one time. They are many because a page asks for all
pictures of an answer at once."""

Result = TypeVar("Result")


class WorkQueue:
    """One thread that does one piece of work after another, and a bounded number of places for its callers.

    A caller holds a place while it prepares its work, waits for the thread and is served.
    """

    def __init__(self, name: str, *, most: int) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._most, self._taken = most, 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places. Raises HTTPException 503 where all are taken."""
        if self._taken >= self._most:
            raise HTTPException(
                503, "Too many requests are waiting; try again in a second.", {"Retry-After": "1"}
            )
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do some work in the thread, after all work before it. Raises what the work raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """End the thread after the work that it is doing, and drop the work that waits."""
        self._thread.shutdown(cancel_futures=True)


class QuestionQueue:
    """Answers questions about photos, and makes small pictures of the lake's photos.

    Answers and pictures have a thread each, because each thread has a decoder of its own.
    """

    def __init__(self, files: Folder, settings: Settings) -> None:
        self.max_bytes = settings.photos.max_bytes
        self._root, self._limits = files.root, Limits(**settings.photos.model_dump())
        self._answers = Answers(files, settings)
        self._decoder: Decoder | None = None
        self._photos = WorkQueue("photos", most=WAITING)
        self._pictures = WorkQueue("pictures", most=PICTURES)

    async def answer(self, arrival: Callable[[], Awaitable[bytes]], *, count: int) -> Answer:
        """Answer a photo, whose bytes `arrival` receives, with the `count` most similar photos.

        The photo takes its place before its first byte is read, so that the memory of all that wait is
        bounded. Raises HTTPException 503 (no place is free), RefusedPhoto, FruitLakeError, and what `arrival`
        raises.
        """
        with self._photos.place():
            content = await arrival()
            return await self._photos.do(lambda: self._answers.answer(content, count=count))

    async def snapshot(self) -> LakeSnapshot:
        """Return the lake as it is now. It takes no place of a photo. Raises as `Answers.snapshot` does."""
        return await self._photos.do(self._answers.snapshot)

    async def picture(self, photo_id: str) -> bytes | None:
        """Return a small JPEG of a photo of the lake.

        Returns None where there is no such photo, it can't be decoded, or it is a photo of a person. Raises
        HTTPException 503 (no place is free) and FruitLakeError (the lake can't be read).
        """

        def work() -> bytes | None:
            try:
                found = thumbnails.contents(self._root, [photo_id])
            except FruitLakeError:
                raise
            except Exception as error:
                raise LakeGone.of(error) from error
            self._decoder = self._decoder or thumbnails.decoder(self._limits)
            [picture] = thumbnails.pictures(list(found.values()), by=self._decoder) or [None]
            return picture

        with self._pictures.place():
            return await self._pictures.do(work)

    def close(self) -> None:
        """End both threads, and with them their decoders."""
        self._photos.close()
        self._pictures.close()
