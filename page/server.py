"""`run.py serve`: the page and its JSON API, read-only. A photo that is sent stays in memory, and goes."""

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
from page.question_queue import About, PhotoAnswer, Problem, QuestionQueue
from report.svg_plots import STYLE
from silver.pixels import RefusalReason, RefusedPhoto

HERE = pathlib.Path(__file__).parent
PAGES = {
    "/": HERE / "page.html",
    "/style.css": STYLE,
    "/page.css": HERE / "page.css",
    "/page.js": HERE / "page.js",
}
"""The page's files, by the path under which it is asked for each."""

SVG = "image/svg+xml"
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
"""A page of another site can't send these without asking, and is not answered."""

BODY_SECONDS = 20.0
"""In which a photo must have arrived."""

CONNECTIONS = 64
LOOPBACK = ("127.0.0.1", "localhost")

TOO_LARGE = (RefusalReason.TOO_LARGE, RefusalReason.PIXEL_BOMB)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

BODY = {
    "required": True,
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PHOTO_TYPES},
}


REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The photo did not arrive in time"},
    413: {"model": Problem, "description": "Too many bytes, or pixels"},
    415: {"model": Problem, "description": "Not sent as a photo"},
    422: {"model": Problem, "description": "It can't be used, and why"},
    503: {"model": Problem, "description": "Too many wait, or the lake can't be read"},
}


PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}},
    204: {
        "description": "There is none to show: no such photo, one that can't be decoded, or a person's"
    },
    503: {"model": Problem},
}


def app(desk: QuestionQueue, *, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """The page and the API, for requests to one of the `hosts`: another name that leads here is none."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with suppress(FruitLakeError):  # each request tells
            await desk.known()
        yield
        desk.close()

    made = FastAPI(
        title="Fruit lake",
        version="1",
        description="What a photo of fruit shows, by the models of a fruit lake. Nothing sent is kept.",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    made.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)

    @made.middleware("http")
    async def guarded(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @made.exception_handler(FruitLakeError)
    async def failed(_: Request, error: FruitLakeError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "5"})

    @made.exception_handler(RequestValidationError)
    async def misread(_: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
        return JSONResponse({"detail": f"{told}; see /openapi.json."}, 422)

    @made.exception_handler(RefusedPhoto)
    async def refused(_: Request, error: RefusedPhoto) -> JSONResponse:
        code = 413 if error.reason in TOO_LARGE else 422
        return JSONResponse({"detail": f"This photo can't be used: {error}."}, code)

    _pages(made)
    _api(made, desk)
    return made


def _pages(made: FastAPI) -> None:
    for path, file in PAGES.items():
        made.add_api_route(path, _file(file), include_in_schema=False)


def _file(file: pathlib.Path) -> Callable[[], FileResponse]:
    def sent() -> FileResponse:
        return FileResponse(file)

    return sent


def _api(made: FastAPI, desk: QuestionQueue) -> None:
    @made.get("/api/about", responses={503: {"model": Problem}})
    async def about() -> About:
        """What the lake can answer just now."""
        known = await desk.known()
        return About(
            photos=known.photos,
            weights_id=known.model.weights_id,
            classifier=known.predictor.classifier.version if known.predictor else None,
            pca=known.pca.version if known.pca else None,
            max_bytes=desk.max_bytes,
        )

    @made.get("/api/scatter", responses={200: {"content": {SVG: {}}}, 404: {"model": Problem}})
    async def scatter() -> Response:
        """Photos of the lake by their first two components, as SVG."""
        known = await desk.known()
        if known.scatter is None:
            raise HTTPException(404, "No PCA version yet: python run.py --layer gold fits one.")
        return Response(known.scatter.svg, media_type=SVG)

    @made.post("/api/photos", responses=REFUSALS, openapi_extra={"requestBody": BODY})
    async def photos(
        request: Request, count: Annotated[int, Query(ge=1, le=100)] = 8
    ) -> PhotoAnswer:
        """What a photo shows: its bytes are the body. It is answered from memory, and not kept."""
        arrival = partial(_body, request, most=desk.max_bytes)
        return await desk.answer(arrival, count=count)

    @made.get("/api/photos/{photo_id}/picture", responses=PICTURE)
    async def picture(photo_id: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]) -> Response:
        """A small picture of a photo of the lake, but of none that is a person's."""
        found = await desk.picture(photo_id)
        return Response(found, media_type="image/jpeg") if found else Response(status_code=204)


async def _body(request: Request, *, most: int) -> bytes:
    """The photo that is sent. Raises HTTPException: 408 (too slow), 413 (too large), 415 (not a photo's)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PHOTO_TYPES:
        raise HTTPException(415, f"Send a photo's bytes, as one of {', '.join(PHOTO_TYPES)}.")
    told = request.headers.get("content-length", "0")
    too_large = HTTPException(413, f"A photo may have {most:,} bytes at most; send a smaller one.")
    if told.isdecimal() and int(told) > most:
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
        raise HTTPException(400, "The photo did not arrive whole.") from None
    return bytes(content)


def serve(desk: QuestionQueue, *, host: str, port: int, console: Console) -> None:
    """Answers until Ctrl-C. Raises BadInput where the port can't be had."""
    is_local = host in LOOPBACK
    config = uvicorn.Config(
        app(desk, hosts=LOOPBACK if is_local else ["*"]),
        log_level="critical",  # of a request nothing is logged
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    taken = bound(host, port)
    console.print(f"http://{host}:{taken.getsockname()[1]}  (Ctrl-C ends it)", soft_wrap=True)
    if not is_local:
        console.print(
            f"note: whoever reaches {host} can ask, without a password: keep it in a network of yours.",
            soft_wrap=True,
        )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[taken])


def bound(host: str, port: int) -> socket.socket:
    """The socket to listen on. Raises BadInput where the port is taken, or the host is no address of here."""
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        # A name that isn't known has a number below zero, and words of its own.
        why = os.strerror(number) if number and number > 0 else str(error)
        raise BadInput(
            f"{host}:{port} can't be listened on ({why}); name another with --port or --host."
        ) from None
