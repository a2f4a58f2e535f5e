"""The queue of questions to the page: they are answered one at a time, and only a bounded number may wait."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from fastapi import HTTPException

from conf.errors import FruitLakeError
from conf.settings import Settings
from lake.storage.folder import Folder
from page.photo_answers import Answer, Answers, LakeGone, LakeSnapshot
from page.picture_index import PictureIndex
from report import thumbnails
from silver.decoder_process import Decoder
from silver.pixels import Limits

WAITING = 8
"""The most photos that have arrived as a whole, and wait or are answered at one time. Each may take
photos.max_bytes of memory."""

PICTURES = 128
"""The most small pictures that wait or are made at one time. They are many because a page asks for all
pictures of an answer at once."""

NAMED = 20_000
"""The most photos of which the server remembers that an answer has named them, the newest ones: 3 MB."""

Result = TypeVar("Result")


class WorkQueue:
    """One thread that does one piece of work after another, and a bounded number of places for its callers.

    A caller holds a place while it waits for the thread and is served.
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


class NamedPhotos:
    """The ids of the photos that answers have named, at most NAMED, the newest ones."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, photo_ids: Iterable[str]) -> None:
        """Remember photos as named now. Those that were not named for the longest are forgotten."""
        for photo_id in photo_ids:
            self._ids[photo_id] = None
            self._ids.move_to_end(photo_id)
        while len(self._ids) > NAMED:
            self._ids.popitem(last=False)

    def __contains__(self, photo_id: str) -> bool:
        """Whether an answer has named a photo."""
        return photo_id in self._ids


class QuestionQueue:
    """Answers questions about photos, and makes small pictures of the lake's photos.

    Answers and pictures have a thread each, because each thread has a decoder of its own.
    """

    def __init__(self, files: Folder, settings: Settings) -> None:
        self.max_bytes = settings.photos.max_bytes
        self._limits = Limits(**settings.photos.model_dump())
        self._answers = Answers(files, settings)
        self._index = PictureIndex(files.root)
        self._named = NamedPhotos()
        self._decoder: Decoder | None = None
        self._photos = WorkQueue("photos", most=WAITING)
        self._pictures = WorkQueue("pictures", most=PICTURES)
        self._snapshot: asyncio.Future[LakeSnapshot] | None = None

    async def answer(self, content: bytes, *, count: int) -> Answer:
        """Answer a photo, given its bytes, with the `count` most similar photos.

        Raises HTTPException 503 (no place is free), NotAPhoto, RefusedPhoto and FruitLakeError.
        """
        with self._photos.place():
            answer = await self._photos.do(lambda: self._answers.answer(content, count=count))
        self._named.add(each.photo_id for each in answer.similar)
        return answer

    async def snapshot(self) -> LakeSnapshot:
        """Return the lake as it is now. It takes no place of a photo. Raises as `Answers.snapshot` does.

        All who ask while one is being taken get that one, so it costs once however many ask and leave.
        """
        if self._snapshot is None or self._snapshot.done():
            self._snapshot = asyncio.ensure_future(self._photos.do(self._answers.snapshot))
            self._snapshot.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._snapshot)

    async def picture(self, photo_id: str) -> bytes | None:
        """Return a small JPEG of a photo of the lake that an answer has named.

        Returns None where no answer has named it, it has left the lake, it can't be decoded, or it is a photo
        of a person. For a photo that no answer has named, nothing of the lake is read. Raises HTTPException
        503 (no place is free) and FruitLakeError (the lake can't be read).
        """
        if photo_id not in self._named:
            return None

        def work() -> bytes | None:
            try:
                content = self._index.content(photo_id)
            except FruitLakeError:
                raise
            except Exception as error:
                raise LakeGone.of(error) from error
            if content is None:
                return None
            self._decoder = self._decoder or thumbnails.decoder(self._limits)
            [picture] = thumbnails.pictures([content], by=self._decoder)
            return picture

        with self._pictures.place():
            return await self._pictures.do(work)

    def close(self) -> None:
        """End both threads, and with them their decoders."""
        self._photos.close()
        self._pictures.close()
