"""What the page's API tells, and who sees to it: one thing at a time, and nobody waits in too long a line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, TypeVar

from fastapi import HTTPException
from pydantic import BaseModel, Field

from conf.errors import FruitLakeError
from conf.settings import Settings
from lake.storage.folder import Folder
from page.photo_answers import Answer, Answers, LakeGone, LakeSnapshot
from report import thumbnails
from silver.decoder_process import Decoder
from silver.pixels import Limits

WAITING = 8
"""Photos that arrive, wait or are answered, at most: each may hold photos.max_bytes of memory."""

PICTURES = 128
"""As WAITING, of small pictures: a page asks for those of an answer all at once."""

Done = TypeVar("Done")


class FruitKind(BaseModel):
    """A kind of fruit, and how sure it is: a probability, calibrated on photos held out."""

    kind: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class SimilarPhoto(BaseModel):
    """A photo of the lake: `similarity` is the cosine of its embedding and the sent photo's."""

    photo_id: str
    label: str | None
    similarity: Annotated[float, Field(ge=-1.0001, le=1.0001)]


class ScatterPlace(BaseModel):
    """The first two components of a photo, and where they are in the scatter's own units."""

    component_1: float
    component_2: float
    x: float
    y: float


class PhotoAnswer(BaseModel):
    """The answer. `kinds` is null before a classifier was trained, `place` before a PCA was fitted."""

    kinds: list[FruitKind] | None
    similar: list[SimilarPhoto]
    place: ScatterPlace | None


class About(BaseModel):
    """What the lake can answer just now, and with which versions."""

    photos: int
    weights_id: str
    classifier: str | None
    pca: str | None
    max_bytes: int


class Problem(BaseModel):
    """One sentence that says what is wrong and what to do."""

    detail: str


class WorkQueue:
    """One thread, and so many at most who wait for it or are at it."""

    def __init__(self, name: str, *, most: int) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._most, self._here = most, 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places. Raises HTTPException 503 where none is free."""
        if self._here >= self._most:
            raise HTTPException(503, "Too many wait; try again in a second.", {"Retry-After": "1"})
        self._here += 1
        try:
            yield
        finally:
            self._here -= 1

    async def do(self, work: Callable[[], Done]) -> Done:
        """In the thread, after what came before; for one who has a place. Raises what `work` does."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """After what is being done."""
        self._thread.shutdown(cancel_futures=True)


class QuestionQueue:
    """Answers of the lake, and pictures: each in a thread of its own, as each has a decoder."""

    def __init__(self, files: Folder, settings: Settings) -> None:
        self.max_bytes = settings.photos.max_bytes
        self._root, self._limits = files.root, Limits(**settings.photos.model_dump())
        self._answers = Answers(files, settings)
        self._decoder: Decoder | None = None
        self._photos, self._pictures = (
            WorkQueue("photos", most=WAITING),
            WorkQueue("pictures", most=PICTURES),
        )

    async def answer(self, arrival: Callable[[], Awaitable[bytes]], *, count: int) -> PhotoAnswer:
        """Of a photo that takes its place before its first byte is read: what waits is bounded memory.

        Raises HTTPException 503, RefusedPhoto, FruitLakeError, and what the arrival does.
        """
        with self._photos.place():
            content = await arrival()
            return _told(await self._photos.do(lambda: self._answers.answer(content, count=count)))

    async def known(self) -> LakeSnapshot:
        """As `Answers.known`. It takes no photo's place."""
        return await self._photos.do(self._answers.known)

    async def picture(self, photo_id: str) -> bytes | None:
        """None where there is no such photo, or it is a person's. Raises HTTPException 503."""

        def work() -> bytes | None:
            try:
                found = thumbnails.contents(self._root, [photo_id])
            except FruitLakeError:
                raise
            except Exception as error:
                raise LakeGone.of(error) from error
            self._decoder = self._decoder or thumbnails.decoder(self._limits)
            [made] = thumbnails.pictures(list(found.values()), by=self._decoder) or [None]
            return made

        with self._pictures.place():
            return await self._pictures.do(work)

    def close(self) -> None:
        """Ends the threads, and with them the decoders."""
        self._photos.close()
        self._pictures.close()


def _told(answer: Answer) -> PhotoAnswer:
    place, scatter = None, answer.scatter
    if answer.place and scatter:
        first, second = answer.place
        x, y = scatter.x, scatter.y
        place = ScatterPlace(
            component_1=first,
            component_2=second,
            x=x.origin + first * x.scale,
            y=y.origin + second * y.scale,
        )
    kinds = None
    if answer.kinds is not None:
        kinds = [FruitKind(kind=kind, confidence=share) for kind, share in answer.kinds]
    similar = [SimilarPhoto(**vars(each)) for each in answer.similar]
    return PhotoAnswer(kinds=kinds, similar=similar, place=place)
