"""Who may ask the page's server: whoever calls it by its own name and, where it has a token, sends that."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from conf.errors import BadInput
from page.host_names import HostNames
from page.refusals import refusal

SENDABLE = re.compile(rb"[!-~]+")
"""What a token may consist of: a header takes nothing else whole."""


class Access:
    """Refuses requests to another name with 400, and requests without the token with 401.

    `token` is None where everybody may ask. The paths in `open_paths` need none: they are the files of the
    page that asks for the token, and hold nothing of a lake.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: HostNames,
        token: bytes | None,
        open_paths: Collection[str],
    ) -> None:
        self._app, self._hosts, self._token = app, hosts, token
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        refused = self._refused(scope) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if not self._hosts.has(headers.get("host")):
            return refusal(
                400,
                "The server is not known by that name; ask it by the address that it has told, or start it "
                "with --name and this name.",
            )
        if self._token is None or scope["path"] in self._open_paths:
            return None
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        # Compared as a whole: the time that it takes says nothing of the token.
        is_right = hmac.compare_digest(sent.strip().encode("latin-1"), self._token)
        if is_right and scheme.lower() == "bearer":
            return None
        return refusal(
            401,
            "The server wants its token; send it in the header Authorization: Bearer TOKEN.",
            WWW_Authenticate='Bearer realm="fruit lake"',
        )


def check_token(token: bytes, *, place: str) -> None:
    """Raises BadInput for a token that no header can hold; `place` is where it is kept."""
    if not SENDABLE.fullmatch(token):
        raise BadInput(
            f"--token: {place} has a token that can't be sent; use letters, digits and signs of ASCII "
            f"without spaces."
        )
