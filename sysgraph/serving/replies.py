"""Answers as the OpenAI protocol says them, whole and in parts."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sysgraph_compiler import Program

from ..traces.messages import inputs_by_name
from .errors import ApiError
from .pictures import data_url
from .ticket import Answered, Progress, Ticket, Written


def completion(program: Program, ticket: Ticket, answered: Answered) -> dict[str, Any]:
    """The whole answer, a `chat.completion`.

    Raises:
        ApiError: the system gave nothing.
    """
    _require_some(answered)
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": one.content, "refusal": one.refusal},
            "logprobs": None,
            "finish_reason": one.finish_reason,
        }
        for index, one in enumerate(answered.choices)
    ]
    return {
        **_head(program, ticket, "chat.completion"),
        "choices": choices,
        "usage": answered.usage.plain(),
        "sysgraph": _own(program, ticket, answered),
    }


class Parts:
    """The answer in parts, `chat.completion.chunk`s: what each event adds to what was sent."""

    def __init__(self, program: Program, ticket: Ticket) -> None:
        self._program, self._ticket = program, ticket
        self._sent = [""] * ticket.asked.n

    def first(self) -> Iterator[dict[str, Any]]:
        """Whose the texts will be."""
        for index in range(self._ticket.asked.n):
            yield self._chunk(index, {"role": "assistant", "content": ""})

    def progress(self, event: Progress) -> dict[str, Any]:
        """The values that are there of one of the answers, beside its number."""
        found = {"index": event.index, "values": event.values}
        return {**self._head(), "choices": [], "sysgraph": found}

    def written(self, event: Written) -> dict[str, Any]:
        """What was added to a text."""
        self._sent[event.index] += event.text
        return self._chunk(event.index, {"content": event.text})

    def last(self, answered: Answered) -> Iterator[dict[str, Any]]:
        """What is not sent yet, why each text ends, and the tokens, where they are wanted.

        Raises:
            ApiError: the system gave nothing.
        """
        _require_some(answered)
        for index, one in enumerate(answered.choices):
            rest = self._rest(index, one.content or "")
            if rest:
                yield self._chunk(index, {"content": rest})
            if one.refusal is not None:
                yield self._chunk(index, {"refusal": one.refusal})
            yield self._chunk(index, {}, one.finish_reason)
        own = _own(self._program, self._ticket, answered)
        yield {**self._head(), "choices": [], "sysgraph": own}
        if self._ticket.asked.usage:
            yield {**self._head(), "choices": [], "usage": answered.usage.plain()}

    def _rest(self, index: int, text: str) -> str:
        sent = self._sent[index]
        if not text.startswith(sent):
            raise ApiError(500, "the text came out otherwise than it was sent", code="changed")
        return text[len(sent) :]

    def _chunk(self, index: int, delta: dict[str, Any], why: str | None = None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": why}
        return {**self._head(), "choices": [choice]}

    def _head(self) -> dict[str, Any]:
        return _head(self._program, self._ticket, "chat.completion.chunk")


def event_line(data: Mapping[str, Any]) -> bytes:
    """One event of a stream."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _require_some(answered: Answered) -> None:
    if all(choice.failed for choice in answered.choices):
        raise ApiError(422, answered.choices[0].refusal or "", code="no_answer")


def _own(program: Program, ticket: Ticket, answered: Answered) -> dict[str, Any]:
    """What sysgraph adds to the protocol: the seed, what was ignored, on request all values."""
    asked = ticket.asked
    found: dict[str, Any] = {"seed": asked.seed}
    if asked.ignored:
        found["ignored"] = dict(asked.ignored)
    if asked.values:
        found["inputs"] = inputs_by_name(program, asked.inputs, data_url)
        found["values"] = [choice.values for choice in answered.choices]
    return found


def _head(program: Program, ticket: Ticket, kind: str) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "object": kind,
        "created": int(ticket.created),
        "model": program.name,
    }
