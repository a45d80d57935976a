"""What engines are asked to score of a trace."""

from collections.abc import Iterator

from sysgraph_compiler import Program

from ..traces.course import context
from ..traces.record import Record
from ..traces.scope import Unobserved
from ..traces.trace import Completion, Trace
from .asked import Request


def requests(program: Program, trace: Trace) -> Iterator[tuple[str, Request]]:
    """(variable, request) for every term with a likelihood that a completed `trace` has.

    Raises:
        Unobserved: a variable that exists has no value.
    """
    for term in program.terms:
        if term.model is None or term.variable in trace.nonexistent:
            continue
        variable = program.variable(term.variable)
        value = trace.values.get(term.variable)
        if isinstance(value, str):  # a trace written by hand
            value = Completion(value)
        if value is None or isinstance(value, tuple | Record):
            raise Unobserved(term.variable)
        yield (
            term.variable,
            Request(
                term.model,
                context(variable, trace),
                value,
                variable.options,
                stop=variable.decoding.stop,
            ),
        )
