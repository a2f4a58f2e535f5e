"""Refusals of the page's server, each as JSON with one sentence, and the headers that every answer has."""

from __future__ import annotations

from starlette.responses import JSONResponse

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


def refusal(status: int, detail: str, **headers: str) -> JSONResponse:
    """Return the answer to a request that is refused before the API sees it.

    `detail` is one sentence that says what is wrong and what to do; an underscore in the name of a header
    stands for a hyphen.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"detail": detail}, status, HEADERS | named)
