"""Serves the page and its JSON API, both read-only: `run.py serve`.

A photo that is sent is only held in memory while it is answered.
"""

from __future__ import annotations

import os
import pathlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from string import Template
from typing import Annotated, Any, cast

import uvicorn
from fastapi import FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from rich.console import Console

from bronze.formats.cleaning_results import NotAPhoto, RejectionReason
from conf.errors import BadInput, FruitLakeError
from lake import photo_formats
from page.access import Access
from page.api_models import About, PhotoAnswer, Problem
from page.client_limits import ClientLimits
from page.connections import ClientConnection
from page.host_names import HostNames, in_address_bar, is_loopback, without_brackets
from page.photo_arrivals import PHOTO_TYPES, PhotoArrivals
from page.photo_looks import Refusal
from page.question_queue import QuestionQueue
from page.refusals import HEADERS
from report.svg_plots import STYLE
from silver.pixels import RefusalReason, RefusedPhoto

HERE = pathlib.Path(__file__).parent
FILES = {"/style.css": STYLE, "/page.css": HERE / "page.css", "/page.js": HERE / "page.js"}
"""The files of the page, besides the page itself, by the path of their URL."""

SVG = "image/svg+xml"
TOO_LARGE = (RejectionReason.TOO_LARGE, RefusalReason.TOO_LARGE, RefusalReason.PIXEL_BOMB)
"""The refusals that the API answers with 413; all others are 422."""

BODY = {
    "required": True,
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in PHOTO_TYPES},
}
"""The description of a photo as the body of a request, for /openapi.json."""

WITHOUT_ACCESS: dict[int | str, dict[str, Any]] = {
    400: {
        "model": Problem,
        "description": "Asked by another name, or the photo ended early",
    },
    401: {"model": Problem, "description": "The server has a token, and it was not sent"},
}
"""The answers to requests that `page.access` refuses, whatever they ask for, for /openapi.json."""

REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The photo came too slowly"},
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
        "description": "No answer has named this photo lately, it has left the lake, it can't be decoded, or "
        "it is a photo of a person"
    },
    503: {"model": Problem},
}
"""The answers of the API to a question for a small picture, for /openapi.json."""


LIMITS = ClientLimits()
"""The limits of `run.py serve`."""


def app(
    queue: QuestionQueue,
    *,
    hosts: HostNames | None = None,
    token: bytes | None = None,
    limits: ClientLimits = LIMITS,
) -> FastAPI:
    """Make the application with the page and the API.

    It answers only requests to one of the `hosts`, by default those of this machine alone, so that another
    name can't be pointed at this server. With a `token`, it answers questions only to whoever sends it.
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
        responses=WITHOUT_ACCESS,
        lifespan=lifespan,
    )
    known = hosts or HostNames.of("localhost")
    application.add_middleware(Access, hosts=known, token=token, open_paths=("/", *FILES))

    @application.middleware("http")
    async def with_headers(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    _errors(application)
    _pages(application)
    _api(application, queue, PhotoArrivals(limits, max_bytes=queue.max_bytes))
    return application


def _errors(application: FastAPI) -> None:
    @application.exception_handler(FruitLakeError)
    async def lake_error(_: Request, error: FruitLakeError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "5"})

    @application.exception_handler(RequestValidationError)
    async def bad_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
        return JSONResponse({"detail": f"{problems}; see /openapi.json."}, 422)

    @application.exception_handler(NotAPhoto)
    @application.exception_handler(RefusedPhoto)
    async def refused_photo(_: Request, error: Refusal) -> JSONResponse:
        code = 413 if error.reason in TOO_LARGE else 422
        return JSONResponse({"detail": f"This photo can't be used: {error}."}, code)


def _pages(application: FastAPI) -> None:
    page = Template((HERE / "page.html").read_text()).substitute(
        types=",".join(photo_formats.MEDIA_TYPES), formats=photo_formats.listed("or")
    )

    @application.get("/", include_in_schema=False)
    def whole_page() -> HTMLResponse:
        return HTMLResponse(page)

    for path, file in FILES.items():
        application.add_api_route(path, _sender(file), include_in_schema=False)


def _sender(file: pathlib.Path) -> Callable[[], FileResponse]:
    """An endpoint that answers with a file."""

    def send() -> FileResponse:
        return FileResponse(file)

    return send


def _api(application: FastAPI, queue: QuestionQueue, arrivals: PhotoArrivals) -> None:
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
        content = await arrivals.receive(request)
        return PhotoAnswer.of(await queue.answer(content, count=count))

    @application.get("/api/photos/{photo_id}/picture", responses=PICTURE)
    async def picture(photo_id: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]) -> Response:
        """Return a small picture of a photo that an answer has named, but never of a photo of a person."""
        jpeg = await queue.picture(photo_id)
        return Response(jpeg, media_type="image/jpeg") if jpeg else Response(status_code=204)


def config(application: FastAPI, *, limits: ClientLimits = LIMITS) -> uvicorn.Config:
    """Return how uvicorn serves the application."""
    return uvicorn.Config(
        application,
        http=cast(Any, partial(ClientConnection, limits=limits)),
        ws="none",  # a connection of another kind would be without the limits
        log_level="critical",  # nothing is logged about a request
        access_log=False,
        server_header=False,
        backlog=limits.connections,  # so many are accepted in one round of the loop
        timeout_graceful_shutdown=5,
    )


def serve(
    queue: QuestionQueue,
    *,
    host: str,
    port: int,
    hosts: HostNames,
    token: bytes | None,
    console: Console,
) -> None:
    """Serve the page and the API until Ctrl-C.

    `hosts` are the names that it answers to, and `token` is what it asks for; None where everybody who
    reaches it may ask. Raises BadInput where the port can't be listened on.
    """
    listening = bound(host, port)
    address = f"http://{in_address_bar(host)}:{listening.getsockname()[1]}"
    console.print(f"{address}  (Ctrl-C ends it)", soft_wrap=True)
    if not is_loopback(host):
        console.print(
            "note: token and photos cross the network as they are; put a server with TLS in front where "
            "others may listen.",
            soft_wrap=True,
        )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config(app(queue, hosts=hosts, token=token))).run(sockets=[listening])


def bound(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises BadInput where the port is taken or the host is not this machine."""
    plain = without_brackets(host)
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    is_both = plain == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((plain, port), family=family, dualstack_ipv6=is_both)
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        # The error of an unknown host name has a number below zero, and a text of its own.
        why = os.strerror(number) if number and number > 0 else str(error)
        raise BadInput(
            f"{in_address_bar(host)}:{port} can't be listened on ({why}); name another with --port or --host."
        ) from None
