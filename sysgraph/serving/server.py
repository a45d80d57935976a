"""The server's process: its socket, and how it stops."""

import contextlib
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from ..support.errors import InputError
from .connection import BACKLOG, IDLE, Connection


def listening(host: str, port: int) -> socket.socket:
    """A socket for the server, bound before anything is loaded; port 0 takes a free one.

    Raises:
        InputError: there is no such address here, or another program has it.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"--host {host!r:.100}: {error.strerror}") from None
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise InputError(
            f"cannot listen on {host} port {port}: {error.strerror} (--port 0 takes a free one)"
        ) from None
    return bound


def run(app: ASGIApp, bound: socket.socket, *, patience: float, ready: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM, and then until what was asked before is answered.

    A second SIGINT ends it at once.

    Args:
        patience: seconds that answers have, then.
        ready: called once requests are taken.
    """
    config = configured(app, patience)
    # uvicorn raises the signal once more when it is done: it asked to stop, and that is done.
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config, ready).run(sockets=[bound])


def configured(app: ASGIApp, patience: float) -> uvicorn.Config:
    """How the application is served; see `run`."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        log_config=None,
        log_level="error",  # of what is no HTTP, a line each would fill a disk
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=round(2 * IDLE),  # `Connection` is there before
        timeout_graceful_shutdown=max(1, round(patience)),
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, and says so."""
        await super().startup(sockets=sockets)
        self._ready()
