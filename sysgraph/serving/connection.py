"""A client's connection: one that is of no use is ended, and there are no more than files for them.

uvicorn waits for ever for a request's head, and for a client that reads no answer.
"""

import asyncio
import resource
import sys
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE = 30.0
"""Seconds in which something must come or go on a connection that waits for its client."""
BACKLOG = 128
"""Connections that the system holds until they are accepted, all of them at once."""


class Connection(H11Protocol):
    """A client's connection, with uvicorn's own attributes."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._answers = 0
        self._before = (0, 0)
        self._check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the client, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > _most():
            transport.abort()
            return
        self._check = self.loop.call_later(IDLE, self._require_life)

    def connection_lost(self, exc: Exception | None) -> None:
        """Lets go of it."""
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Counts the answers."""
        self._answers += 1
        super().on_response_complete()

    def _require_life(self) -> None:
        """Ends the connection if it waits for its client, and nothing happened since last time.

        What waits for the system's answer is left alone, as is a request whose content is on its
        way: they have a time limit of their own.
        """
        now = (self._answers, self.transport.get_write_buffer_size())
        is_ours = self.cycle is not None and not self.cycle.response_complete
        if now == self._before and (self.flow.write_paused or not is_ours):
            self.transport.abort()
            return
        self._before = now
        self._check = self.loop.call_later(IDLE, self._require_life)


def _most() -> int:
    """Connections at a time: half of the files that this process may have open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else files // 2
