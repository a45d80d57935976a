"""Answers as the OpenAI protocol says them, whole and in parts."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from sysgraph_compiler import Program

from ..engines.requests import requests
from ..system import System
from ..traces.course import why_failed
from ..traces.messages import inputs_by_name
from ..traces.outputs import outputs_by_name
from ..traces.pictures import Picture
from ..traces.scope import Unobserved
from ..traces.trace import Plain, Trace, by_node
from .errors import ApiError
from .ticket import Answered, Progress, Ticket, Written


def completion(system: System, ticket: Ticket, answered: Answered) -> dict[str, Any]:
    """The whole answer, a `chat.completion`.

    Raises:
        ApiError: the system gave nothing.
    """
    require_some(system.program, answered.traces)
    choices = [
        {
            "index": index,
            "message": {
                "role": "assistant",
                "content": content(system.program, trace),
                "refusal": refusal(system.program, trace),
            },
            "logprobs": None,
            "finish_reason": finish_reason(system, trace),
        }
        for index, trace in enumerate(answered.traces)
    ]
    return {
        **_head(system, ticket, "chat.completion"),
        "choices": choices,
        "usage": answered.usage.plain(),
        "sysgraph": _own(system, ticket, answered),
    }


class Parts:
    """The answer in parts, `chat.completion.chunk`s: what each event adds to what was sent."""

    def __init__(self, system: System, ticket: Ticket) -> None:
        self._system, self._ticket = system, ticket
        self._sent = [""] * ticket.asked.n

    def first(self) -> Iterator[dict[str, Any]]:
        """Whose the texts will be."""
        for index in range(self._ticket.asked.n):
            yield self._chunk(index, {"role": "assistant", "content": ""})

    def progress(self, event: Progress) -> dict[str, Any]:
        """The values that are there of one of the answers, beside its number."""
        found = {"index": event.index, "values": values(self._system.program, event.trace)}
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
        require_some(self._system.program, answered.traces)
        for index, trace in enumerate(answered.traces):
            text, why = content(self._system.program, trace), refusal(self._system.program, trace)
            rest = self._rest(index, text or "")
            if rest:
                yield self._chunk(index, {"content": rest})
            if why is not None:
                yield self._chunk(index, {"refusal": why})
            yield self._chunk(index, {}, finish_reason(self._system, trace))
        own = _own(self._system, self._ticket, answered)
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
        return _head(self._system, self._ticket, "chat.completion.chunk")


def require_some(program: Program, traces: Sequence[Trace]) -> None:
    """Refuses to answer where no trace has an output.

    Raises:
        ApiError: says why the first one has none.
    """
    if all(trace.failed for trace in traces):
        why = why_failed(program, traces[0]) or "no output came to be"
        raise ApiError(422, why, code="no_answer")


def content(program: Program, trace: Trace) -> str | None:
    """The output's text, of other values and of several outputs JSON; None where there is none."""
    if trace.failed or trace.abstains:
        return None
    found = outputs_by_name(program, trace, data_url)
    only = next(iter(found.values())) if len(found) == 1 else found
    return only if isinstance(only, str) else json.dumps(only, ensure_ascii=False)


def refusal(program: Program, trace: Trace) -> str | None:
    """Why there is no content, for people."""
    if trace.failed:
        return why_failed(program, trace)
    if trace.abstains:
        names = ", ".join(name for name in trace.outputs if name in trace.abstained)
        return f"{names}: nothing, as a parser or tool abstained"
    return None


def finish_reason(system: System, trace: Trace) -> str:
    """`length` where the length limit cut an output's text, else `stop`."""
    try:
        cut = any(
            system.is_cut(request)
            for name, request in requests(system.program, trace)
            if name in trace.outputs and not isinstance(request.value, Picture)
        )
    except Unobserved:  # it was stopped on its way
        cut = False
    return "length" if cut else "stop"


def values(program: Program, trace: Trace) -> dict[str, Plain]:
    """Every node's value, in the graph's order; null for what did not run."""
    return by_node(program, trace, data_url)


def data_url(picture: Picture) -> str:
    """An image as text: a PNG in a data URL."""
    return f"data:image/png;base64,{b64encode(picture.png()).decode()}"


def _own(system: System, ticket: Ticket, answered: Answered) -> dict[str, Any]:
    """What sysgraph adds to the protocol: the seed, and on request all values."""
    asked = ticket.asked
    found: dict[str, Any] = {"seed": asked.seed}
    if asked.values:
        found["inputs"] = inputs_by_name(system.program, asked.inputs)
        found["values"] = [values(system.program, trace) for trace in answered.traces]
    return found


def _head(system: System, ticket: Ticket, kind: str) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "object": kind,
        "created": int(ticket.created),
        "model": system.program.name,
    }
