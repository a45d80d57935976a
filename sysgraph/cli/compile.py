"""`sysgraph compile GRAPH`: the program, printed or written."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from sysgraph_compiler import Program
from sysgraph_compiler.observation import Observation
from sysgraph_compiler.pipeline import PASSES
from sysgraph_schemas.collector import no_collection
from sysgraph_schemas.suggest import quoted, suggestion

from ..support.errors import InputError
from ..support.files import write_text
from .opening import opened
from .options import GraphFile, MethodName, ObservedNodes, Settings, require_writable
from .plugins import Plugins, given_tools
from .terminal import say, say_json

_PASSES = [name for name, _ in PASSES]


def _latex(program: Program) -> str:
    from sysgraph_compiler import emit_latex

    return emit_latex(program)


_EMITTERS: dict[str, Callable[[Program], str]] = {
    "text": str,
    "json": lambda program: program.to_json() + "\n",
    "latex": _latex,
}


def compile(
    graph: GraphFile,
    settings: Settings = None,
    emit: Annotated[
        Literal["text", "json", "latex"],
        typer.Option(
            help="For people; the IR for programs (described by program.schema.json in the package "
            "sysgraph_compiler); or the formulas for a paper."
        ),
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file instead of the terminal.")
    ] = None,
    observed: ObservedNodes = None,
    method: MethodName = None,
    debug_pass: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"The program after one pass: {', '.join(_PASSES)}."),
    ] = None,
    plugin: Plugins = None,
) -> None:
    """Compile a graph file to the system's log-likelihood.

    Warnings go to stderr. With errors, exits with 2 and writes nothing.
    """
    if debug_pass is not None and debug_pass not in _PASSES:
        help = suggestion(debug_pass, _PASSES, "the passes are")
        raise InputError(f"there is no pass {quoted(debug_pass)}: {help}")
    if output is not None:
        require_writable(output)
    observation = Observation.of(observed, method)
    tools = given_tools(plugin)
    with no_collection():
        program = opened(graph, settings, observation, until=debug_pass, tools=tools).program
        text = _EMITTERS[emit](program)
    if output is None:
        (say_json if emit == "json" else say)(text.removesuffix("\n"))
    else:
        write_text(output, text)
