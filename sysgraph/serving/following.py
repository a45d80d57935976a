"""A request from its ticket to its end, in the event loop: what happens, and who still waits."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from starlette.requests import ClientDisconnect

from .asked import Asked
from .errors import ApiError
from .service import Service
from .ticket import Answered, Event, Failed

KEEP_ALIVE = 5.0
"""Seconds without an event after which one is told so: proxies close what is silent for long."""


class Following:
    """A request that was put in line.

    Raises:
        ApiError: too many wait.
    """

    def __init__(self, service: Service, asked: Asked) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._began = self._loop.time()
        self.ticket = service.submit(asked, self._tell)

    def _tell(self, event: Event) -> None:
        """Called in the worker's thread; the loop may be over by then."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def events(self) -> AsyncGenerator[Event | None]:
        """What happens, `Answered` at last; None where nothing did for a while.

        Whoever stops listening gives the request up.

        Raises:
            ApiError: it failed, or took too long.
        """
        over = False
        deadline = self._began + self._service.limits.seconds
        try:
            while not over:
                wait = min(KEEP_ALIVE, deadline - self._loop.time())
                try:
                    event = await asyncio.wait_for(self._events.get(), max(wait, 0.0))
                except TimeoutError:
                    if self._loop.time() >= deadline:
                        raise self._too_long() from None
                    yield None
                    continue
                over = isinstance(event, Answered | Failed)
                if isinstance(event, Failed):
                    raise event.error
                yield event
        finally:
            self._service.meters.seconds.observe(self._loop.time() - self._began)
            if not over:
                self._service.meters.given_up.inc()
                self._service.give_up(self.ticket)

    async def answer(self, receive: Callable[[], Awaitable[object]]) -> Answered:
        """All answers, for a client that waits for them.

        Args:
            receive: the request's, whose content was read: it returns once the client has gone.

        Raises:
            ApiError: as for `events`.
            ClientDisconnect: the client went away.
        """
        answer = asyncio.ensure_future(self._last())
        gone = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ClientDisconnect
            return answer.result()
        finally:
            for task in (answer, gone):
                task.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)

    async def _last(self) -> Answered:
        async with contextlib.aclosing(self.events()) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return event
        raise AssertionError("the worker tells an end of every request")

    def _too_long(self) -> ApiError:
        seconds = self._service.limits.seconds
        return ApiError(504, f"no answer after {seconds:g} seconds", code="timeout")
