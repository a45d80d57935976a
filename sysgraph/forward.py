"""What a program's variables see: rendered contexts, recomputed parsers, requests for engines."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sysgraph_compiler import Program, TemplateError, Variable, render_template

from .engines.base import ChatTurn, Context, Request
from .errors import InputError
from .parsing import ParseFailure, parse
from .trace import Completion, Trace, Value, plain


class Unobserved(InputError):
    """A variable's value, or one that its prompt needs, was not observed."""


def context(variable: Variable, trace: Trace) -> Context:
    """The prompt of an `lm` variable, rendered over its parents' values in `trace`.

    Raises:
        Unobserved: a parent's value is missing.
        InputError: the template cannot be rendered on these values.
    """
    scope: dict[str, object] = dict(variable.bindings)
    for name, target in variable.scope.items():
        several = isinstance(target, tuple)
        scope[name] = [_seen(trace, t) for t in target] if several else _seen(trace, str(target))
    try:
        if variable.prompt is not None:
            return render_template(variable.prompt, scope)
        return tuple(
            ChatTurn(message.role, render_template(message.content, scope))
            for message in variable.messages or ()
        )
    except TemplateError as error:
        raise InputError(f"the prompt of {variable.name}: {error}") from error


def _seen(trace: Trace, variable: str) -> str | list[str]:
    """A variable's value as templates see it."""
    if variable in trace.inputs:
        return trace.inputs[variable]
    if variable not in trace.values:
        raise Unobserved(variable)
    return plain(trace.values[variable])


def complete(program: Program, trace: Trace) -> Trace:
    """`trace` with its absent deterministic values recomputed and `nonexistent` derived.

    A value that hangs on a rejected text never existed: it is dropped, whatever the trace says.
    """
    values: dict[str, Value] = {**trace.inputs, **trace.values}
    gone: set[str] = set()
    for variable in program.variables:
        if variable.kind == "input":
            continue
        if gone.intersection(variable.parents):
            gone.add(variable.name)
        elif variable.kind == "parse" and variable.name not in values:
            try:
                value = read(program, variable, values)
            except ParseFailure:
                gone.add(variable.name)
            else:
                values.update({variable.name: value} if value is not None else {})
        if variable.name in gone:
            values.pop(variable.name, None)
    generated = {name: value for name, value in values.items() if name not in trace.inputs}
    return replace(trace, values=generated, nonexistent=frozenset(gone))


def read(program: Program, variable: Variable, values: Mapping[str, Value]) -> Value | None:
    """A `parse` variable's value; None where its parent is unobserved.

    Args:
        values: inputs and generated values, by variable.

    Raises:
        ParseFailure: the parent's text is rejected.
    """
    source = values.get(variable.parents[0])
    if source is None or variable.parser is None:
        return None
    return parse(program.parsers[variable.parser], str(plain(source)))


def requests(program: Program, trace: Trace) -> Iterator[tuple[str, Request]]:
    """(variable, request) for every term with a likelihood that `trace` has.

    Raises:
        Unobserved: a variable that exists has no value.
    """
    variables = {variable.name: variable for variable in program.variables}
    for term in program.terms:
        if term.model is None or term.variable in trace.nonexistent:
            continue
        value = trace.values.get(term.variable)
        if isinstance(value, str):  # a trace written by hand
            value = Completion(value)
        if not isinstance(value, Completion):
            raise Unobserved(term.variable)
        yield term.variable, Request(term.model, context(variables[term.variable], trace), value)
