"""A correction: what should have been answered, as a trace of which the outputs alone are known."""

from collections.abc import Mapping
from pathlib import Path

from sysgraph_compiler import Program, Variable
from sysgraph_compiler.copies import LAST
from sysgraph_schemas.suggest import listed

from ..traces.course import why_failed
from ..traces.trace import Given, Trace
from .images import ImageFiles
from .shown import BadValue
from .values import read_trace

Side = str | Mapping[str, str]
"""The text of the one output, or a text for each."""


def corrected(program: Program, side: Side, inputs: Mapping[str, Given]) -> Trace:
    """The trace that a correction stands for: what it says is observed, and nothing else.

    Args:
        side: of an output that a parser reads, the whole text that it is read from.
        inputs: of the answer.

    Raises:
        BadValue: this system cannot have answered so.
    """
    values: dict[str, object] = {}
    for name, text in _texts(program, side).items():
        variable = program.variable(name)
        copies = program.groups.get(variable.node)
        if copies is None:
            values[variable.node] = text
            continue
        several = values.setdefault(variable.node, [None] * len(copies))
        assert isinstance(several, list)
        several[copies.index(name)] = text
    problems: list[str] = []
    given = ("correction", values), ("", None)
    trace = read_trace(program, inputs, *given, {}, ImageFiles(Path()), problems)
    if not problems and trace.failed:
        problems = [f"correction: {why_failed(program, trace)}"]
    if problems:
        raise BadValue("; ".join(problems))
    return trace


def require_correction(program: Program, side: Side) -> None:
    """Refuses what can be told to be none by itself: no tool is called, no model asked.

    Raises:
        BadValue: this system cannot have answered so.
    """
    _texts(program, side)
    if all(variable.tool is None for variable in program.variables):
        corrected(program, side, {})


def _texts(program: Program, side: Side) -> dict[str, str]:
    """The text of each variable that a model wrote for an output.

    Raises:
        BadValue: one is missing, is no output, or none that a text can stand for.
    """
    written = {output: _written(program, output).name for output in program.outputs}
    wanted = [*dict.fromkeys(written.values())]
    for name in wanted:
        variable = program.variable(name)
        if variable.type == "image" or variable.tool is not None:
            what = "an image" if variable.type == "image" else "what a tool gives"
            raise BadValue(f"correction: the output {name} is {what}, which no text corrects")
    if isinstance(side, str):
        if len(wanted) > 1:
            raise BadValue(f"correction: expected an object with a text for {listed(wanted)}")
        return {wanted[0]: side}
    texts: dict[str, str] = {}
    for name, text in side.items():
        meant = name if name in wanted else written.get(name, written.get(f"{name}[{LAST}]"))
        if meant is None:
            raise BadValue(f"correction: {name!r:.60} is no output; expected {listed(wanted)}")
        if meant in texts:
            raise BadValue(f"correction: two texts for {meant}; expected one")
        texts[meant] = text
    if missing := [name for name in wanted if name not in texts]:
        raise BadValue(f"correction: no text for {listed(missing)}")
    return texts


def _written(program: Program, output: str) -> Variable:
    """What an output is read from, through parsers and records; itself, where nothing reads it."""
    variable = program.variable(output)
    while variable.parser is not None or variable.field is not None:
        variable = program.variable(variable.reads[0])
    return variable
