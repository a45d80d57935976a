"""`POST /v1/chat/completions`."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ..traces.trace import Trace
from .asked import read_asked
from .body import read_body
from .errors import ApiError, api_error
from .following import Following
from .replies import Parts, completion, event_line
from .service import Service
from .ticket import Answered, Progress, Ticket, Written

GONE = 499
"""The status of an answer that nobody is there to read."""


class Recording(Protocol):
    """What is told of every request that was answered, before its client is."""

    def answered(self, id: str, traces: Sequence[Trace], facts: Mapping[str, Any]) -> None:
        """Notes the traces of an answer, one a choice; called in any thread.

        Args:
            id: of the answer, as its client has it.
            facts: `created` (seconds since 1970), `seed`, `n` and `stream`.
        """
        ...


class Chat:
    """The answers of a service.

    Args:
        log: is told of them.
    """

    def __init__(self, service: Service, log: Recording | None) -> None:
        self._service, self._log = service, log

    async def answer(self, request: Request) -> Response:
        """Whole, or in parts: as the request wants it.

        Raises:
            ApiError: there is none.
        """
        limits = self._service.limits
        try:
            content = await read_body(request, limits)
        except ClientDisconnect:
            return Response(status_code=GONE)
        # In a thread: what is wrong with a long request takes a second to say.
        asked = await run_in_threadpool(read_asked, self._service.program, content, limits)
        following = Following(self._service, asked)
        if asked.stream:
            return StreamingResponse(
                self._lines(following),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
            )
        try:
            answered = await following.answer(request.receive)
        except ClientDisconnect:
            return Response(status_code=GONE)
        found = completion(self._service.program, following.ticket, answered)
        await self._noted(following.ticket, answered)
        return JSONResponse(found)

    async def _lines(self, following: Following) -> AsyncGenerator[bytes]:
        """Server-sent events: chunks, comments that keep the line open, and at last `[DONE]`."""
        parts = Parts(self._service.program, following.ticket)
        try:
            for chunk in parts.first():
                yield event_line(chunk)
            async with aclosing(following.events()) as events:
                async for event in events:
                    if event is None:
                        yield b": still at it\n\n"
                    elif isinstance(event, Progress):
                        yield event_line(parts.progress(event))
                    elif isinstance(event, Written):
                        yield event_line(parts.written(event))
                    elif isinstance(event, Answered):
                        last = [*parts.last(event)]
                        await self._noted(following.ticket, event)
                        for chunk in last:
                            yield event_line(chunk)
        except ApiError as error:
            yield event_line(error.body())
        except Exception as error:  # the status is sent: this is the only place left to say it
            yield event_line(api_error(error).body())
            raise
        yield b"data: [DONE]\n\n"

    async def _noted(self, ticket: Ticket, answered: Answered) -> None:
        if self._log is None:
            return
        asked = ticket.asked
        facts = {
            "created": ticket.created,
            "seed": asked.seed,
            "n": asked.n,
            "stream": asked.stream,
        }
        await run_in_threadpool(self._log.answered, ticket.id, answered.traces, facts)
