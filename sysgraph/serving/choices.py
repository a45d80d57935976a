"""What a trace is as one of a request's answers: made in the worker's thread, as models are."""

import json
from dataclasses import dataclass

from sysgraph_compiler import Program

from ..engines.requests import requests
from ..system import System
from ..traces.course import why_failed
from ..traces.outputs import outputs_by_name
from ..traces.pictures import Picture
from ..traces.scope import Unobserved
from ..traces.trace import Plain, Trace, by_node
from .pictures import data_url


@dataclass(frozen=True)
class Choice:
    """One of a request's answers.

    Attributes:
        content: the output's text, of other values and of several outputs JSON; None without any.
        refusal: why there is none, for people.
        finish_reason: `length` where the length limit cut an output's text, else `stop`.
        values: every node's value, where they are wanted.
        failed: whether the system failed to answer; one that abstained did not.
    """

    content: str | None
    refusal: str | None
    finish_reason: str
    values: dict[str, Plain] | None
    failed: bool


def choice_of(system: System, trace: Trace, *, with_values: bool) -> Choice:
    """What a trace is as an answer."""
    program = system.program
    return Choice(
        content=_content(program, trace),
        refusal=_refusal(program, trace),
        finish_reason="length" if _is_cut(system, trace) else "stop",
        values=values(program, trace) if with_values else None,
        failed=trace.failed,
    )


def values(program: Program, trace: Trace) -> dict[str, Plain]:
    """Every node's value, in the graph's order; null for what did not run, images as data URLs."""
    return by_node(program, trace, data_url)


def _content(program: Program, trace: Trace) -> str | None:
    if trace.failed or trace.abstains:
        return None
    found = outputs_by_name(program, trace, data_url)
    only = next(iter(found.values())) if len(found) == 1 else found
    return only if isinstance(only, str) else json.dumps(only, ensure_ascii=False)


def _refusal(program: Program, trace: Trace) -> str | None:
    if trace.failed:
        return why_failed(program, trace) or "no output came to be"
    if trace.abstains:
        names = ", ".join(name for name in trace.outputs if name in trace.abstained)
        return f"{names}: nothing, as a parser or tool abstained"
    return None


def _is_cut(system: System, trace: Trace) -> bool:
    try:
        return any(
            system.is_cut(request)
            for name, request in requests(system.program, trace)
            if name in trace.outputs and not isinstance(request.value, Picture)
        )
    except Unobserved:  # it was stopped on its way
        return False
