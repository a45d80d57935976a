"""Who may ask: keys, and pages of other sites in the browser of whoever runs the server."""

import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import ApiError

OPEN = frozenset({"/", "/page.css", "/page.js", "/health"})
"""Paths that need no key: they say nothing of the system."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Lets through what may be answered.

    Args:
        key: what clients must know; None: nothing.
        hosts: the names by which the server may be called; None: any. A page that has its own name
            lead to this machine ("DNS rebinding") calls it by that name.
    """

    def __init__(
        self, app: ASGIApp, *, key: str | None = None, hosts: Iterable[str] | None = None
    ) -> None:
        self._app, self._key = app, None if key is None else key.encode()
        self._hosts = None if hosts is None else frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http":
            try:
                self._require(HTTPConnection(scope))
            except ApiError as error:
                answer = JSONResponse(error.body(), error.status, error.headers)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _require(self, asked: HTTPConnection) -> None:
        """Raises ApiError for what may not be answered."""
        if self._hosts is not None:
            _require_own(asked, self._hosts)
        if self._key is None or asked.url.path in OPEN:
            return
        scheme, _, given = asked.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._key)
        if scheme.lower() != "bearer" or not right:
            said = "this server needs its key, as the header Authorization: Bearer KEY"
            headers = {"WWW-Authenticate": "Bearer"}
            raise ApiError(401, said, code="invalid_api_key", headers=headers)


def _require_own(asked: HTTPConnection, hosts: frozenset[str]) -> None:
    """Raises ApiError for what calls the server by another name, and for pages of other sites."""
    host, origin = asked.headers.get("host", ""), asked.headers.get("origin")
    if _name(f"//{host}") not in hosts:
        said = (
            f"this server is not called {host!r:.80}; it answers to its own names alone (--host "
            "says which; with --host 0.0.0.0 to any)"
        )
        raise ApiError(403, said, code="foreign_host")
    if origin is not None and origin.partition("://")[2] != host:
        said = f"pages of {origin!r:.80} may not use this server"
        raise ApiError(403, said, code="foreign_origin")


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
