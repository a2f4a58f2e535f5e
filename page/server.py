"""Serves the page and its JSON API, both read-only: `run.py serve`.

A photo that is sent is only held in memory while it is answered.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from rich.console import Console
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from conf.errors import BadInput, FruitLakeError
from page.api_models import About, PhotoAnswer, Problem
from page.question_queue import QuestionQueue
from report.svg_plots import STYLE
from silver.pixels import RefusalReason, RefusedPhoto

HERE = pathlib.Path(__file__).parent
PAGES = {
    "/": HERE / "page.html",
    "/style.css": STYLE,
    "/page.css": HERE / "page.css",
    "/page.js": HERE / "page.js",
}
"""The files of the page, by the path of their URL."""

SVG = "image/svg+xml"
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
"""The content types under which a photo may be sent. A browser sends none of them for a page of another site
without asking this server first, which does not allow it."""

BODY_SECONDS = 20.0
"""The seconds in which the whole of a photo must arrive."""

CONNECTIONS = 64
"""The most connections that the server has at one time."""

LOOPBACK = ("127.0.0.1", "localhost")

TOO_LARGE = (RefusalReason.TOO_LARGE, RefusalReason.PIXEL_BOMB)
"""The refusals that the API answers with 413; all others are 422."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every answer: nothing is cached, framed, or loaded from another site."""

BODY = {
    "required": True,
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PHOTO_TYPES},
}
"""The description of a photo as the body of a request, for /openapi.json."""

REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The photo did not arrive in time"},
    413: {"model": Problem, "description": "The photo has too many bytes or pixels"},
    415: {"model": Problem, "description": "The body was not sent as a photo"},
    422: {"model": Problem, "description": "The photo can't be used; `detail` says why"},
    503: {
        "model": Problem,
        "description": "Too many requests are waiting, or the lake can't be read",
    },
}
"""The answers of the API to a photo that it refuses, for /openapi.json."""

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}},
    204: {
        "description": "There is no such photo, it can't be decoded, or it is a photo of a person"
    },
    503: {"model": Problem},
}
"""The answers of the API to a question for a small picture, for /openapi.json."""


def app(queue: QuestionQueue, *, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """Make the application with the page and the API.

    It answers only requests to one of the `hosts`, so that another name can't be pointed at this server.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with suppress(FruitLakeError):  # each request tells of the error
            await queue.snapshot()
        yield
        queue.close()

    application = FastAPI(
        title="Fruit lake",
        version="1",
        description="Says what a photo of fruit shows, by the models of a fruit lake. No photo that is "
        "sent is kept.",
        docs_url=None,  # FastAPI's pages of documentation load scripts from another site
        redoc_url=None,
        lifespan=lifespan,
    )
    application.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)

    @application.middleware("http")
    async def with_headers(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @application.exception_handler(FruitLakeError)
    async def lake_error(_: Request, error: FruitLakeError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "5"})

    @application.exception_handler(RequestValidationError)
    async def bad_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
        return JSONResponse({"detail": f"{problems}; see /openapi.json."}, 422)

    @application.exception_handler(RefusedPhoto)
    async def refused_photo(_: Request, error: RefusedPhoto) -> JSONResponse:
        code = 413 if error.reason in TOO_LARGE else 422
        return JSONResponse({"detail": f"This photo can't be used: {error}."}, code)

    _pages(application)
    _api(application, queue)
    return application


def _pages(application: FastAPI) -> None:
    for path, file in PAGES.items():
        application.add_api_route(path, _sender(file), include_in_schema=False)


def _sender(file: pathlib.Path) -> Callable[[], FileResponse]:
    """An endpoint that answers with a file."""

    def send() -> FileResponse:
        return FileResponse(file)

    return send


def _api(application: FastAPI, queue: QuestionQueue) -> None:
    @application.get("/api/about", responses={503: {"model": Problem}})
    async def about() -> About:
        """Return what the lake can answer at the moment."""
        return About.of(await queue.snapshot(), max_bytes=queue.max_bytes)

    @application.get(
        "/api/scatter", responses={200: {"content": {SVG: {}}}, 404: {"model": Problem}}
    )
    async def scatter() -> Response:
        """Return a scatter of the lake's photos by their first two components, as SVG."""
        lake = await queue.snapshot()
        if lake.scatter is None:
            raise HTTPException(
                404, "The lake has no PCA version yet: python run.py --layer gold fits one."
            )
        return Response(lake.scatter.svg, media_type=SVG)

    @application.post("/api/photos", responses=REFUSALS, openapi_extra={"requestBody": BODY})
    async def photos(
        request: Request, count: Annotated[int, Query(ge=1, le=100)] = 8
    ) -> PhotoAnswer:
        """Return what a photo shows. Its bytes are the body of the request, and they are not kept."""
        arrival = partial(_body, request, most=queue.max_bytes)
        return PhotoAnswer.of(await queue.answer(arrival, count=count))

    @application.get("/api/photos/{photo_id}/picture", responses=PICTURE)
    async def picture(photo_id: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]) -> Response:
        """Return a small picture of a photo of the lake, but never of a photo of a person."""
        jpeg = await queue.picture(photo_id)
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response(status_code=204)


async def _body(request: Request, *, most: int) -> bytes:
    """Receive the bytes of a photo, at most `most`.

    Raises HTTPException 400 (the connection ended early), 408 (too slow), 413 (too large) and 415 (not sent
    as a photo).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PHOTO_TYPES:
        raise HTTPException(415, f"Send the bytes of a photo, as one of {', '.join(PHOTO_TYPES)}.")
    length = request.headers.get("content-length", "0")
    too_large = HTTPException(413, f"A photo may have {most:,} bytes at most; send a smaller one.")
    if length.isdecimal() and int(length) > most:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                content += part
                if len(content) > most:
                    raise too_large
    except TimeoutError:
        raise HTTPException(
            408, f"The photo did not arrive within {BODY_SECONDS:g} seconds; send it again."
        ) from None
    except ClientDisconnect:
        raise HTTPException(400, "The photo did not arrive as a whole; send it again.") from None
    return bytes(content)


def serve(queue: QuestionQueue, *, host: str, port: int, console: Console) -> None:
    """Serve the page and the API until Ctrl-C. Raises BadInput where the port can't be listened on."""
    is_local = host in LOOPBACK
    config = uvicorn.Config(
        app(queue, hosts=LOOPBACK if is_local else ["*"]),
        log_level="critical",  # nothing is logged about a request
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    listening = bound(host, port)
    console.print(f"http://{host}:{listening.getsockname()[1]}  (Ctrl-C ends it)", soft_wrap=True)
    if not is_local:
        console.print(
            f"note: everybody who reaches {host} can ask without a password; keep it in your own network.",
            soft_wrap=True,
        )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def bound(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises BadInput where the port is taken or the host is not this machine."""
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        # The error of an unknown host name has a number below zero, and a text of its own.
        why = os.strerror(number) if number and number > 0 else str(error)
        raise BadInput(
            f"{host}:{port} can't be listened on ({why}); name another with --port or --host."
        ) from None
