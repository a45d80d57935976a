"""From a graph file to its program, with everything that is wrong with it at once.

A file can be wrong in its shape, which reading finds, and in its meaning, which the checks find:
also in what its problems of shape left of it. Whoever opens a file is told both together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sysgraph_schemas import Diagnostic, Graph, GraphError, Reading, read
from sysgraph_schemas.collector import no_collection
from sysgraph_schemas.diagnostics import has_errors, in_order

from .observation import EVERYTHING, Observation
from .pipeline import NO_TOOLS, Tools, attempt, check
from .program import Program


@dataclass(frozen=True)
class Opened:
    """A sound file's graph, its program, and the warnings."""

    graph: Graph
    program: Program
    warnings: tuple[Diagnostic, ...]


@no_collection()
def diagnose(
    source: str | Path, overrides: Sequence[str] = (), *, tools: Tools = NO_TOOLS
) -> tuple[Diagnostic, ...]:
    """Every error and warning of a file, sorted by place; `tools` as for `compile`."""
    return _with_checks(read(source, overrides), tools)


@no_collection()
def open_graph(
    source: str | Path,
    overrides: Sequence[str] = (),
    observation: Observation = EVERYTHING,
    *,
    until: str | None = None,
    tools: Tools = NO_TOOLS,
) -> Opened:
    """A file's graph and program.

    Args:
        source: a path; or YAML text, if it is a string with a line break or `: ` in it.
        overrides: values that replace the file's, as `path=value`: `fit.beta=0.5`.
        observation: which generated values data holds.
        until: the last pass to run; default: all.
        tools: your own tools by name, besides those that packages register.

    Raises:
        GraphError: the file has errors: those of its shape and those of its meaning.
    """
    reading = read(source, overrides)
    if reading.graph is None:
        raise GraphError(reading.diagnostics)
    program, checked = attempt(reading.graph, observation, until=until, tools=tools)
    found = in_order([*reading.diagnostics, *checked])
    if program is None:
        raise GraphError(found)
    return Opened(reading.graph, program, found)


@no_collection()
def load(source: str | Path, overrides: Sequence[str] = ()) -> Graph:
    """The graph in a file, or in YAML text, as far as its shape is right: `compile` checks more.

    Raises:
        GraphError: the file cannot be read, or is no graph; `.diagnostics` has every problem, also
            those that the checks find in what is left of it.
    """
    reading = read(source, overrides)
    if reading.graph is None or has_errors(reading.diagnostics):
        raise GraphError(_with_checks(reading))
    return reading.graph


def _with_checks(reading: Reading, tools: Tools = NO_TOOLS) -> tuple[Diagnostic, ...]:
    checked = check(reading.graph, tools=tools) if reading.graph else ()
    return in_order([*reading.diagnostics, *checked])
