"""`sysgraph compile GRAPH`: the program, printed or written."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import sysgraph_compiler
from sysgraph_schemas import GraphError, read, render
from sysgraph_schemas.diagnostics import has_errors, in_order

from .options import GraphFile, Settings
from .terminal import has_colors
from .writing import write_text


def compile(
    graph: GraphFile,
    settings: Settings = None,
    emit: Annotated[
        Literal["text", "json"], typer.Option(help="For people, or the IR for programs.")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file instead of the terminal.")
    ] = None,
) -> None:
    """Compile a graph file to the system's log-likelihood.

    Warnings go to stderr. With errors, exits with 2 and writes nothing.
    """
    program = compiled(graph, settings or [])
    text = str(program) if emit == "text" else program.to_json() + "\n"
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)


def compiled(graph: str, overrides: list[str]) -> sysgraph_compiler.Program:
    """The program of a graph file; warnings go to stderr.

    Raises:
        GraphError: the file has errors: those of its shape and those the compiler finds, together.
    """
    reading = read(Path(graph), overrides)
    checked = sysgraph_compiler.check(reading.graph) if reading.graph else ()
    found = in_order([*reading.diagnostics, *checked])
    if reading.graph is None or has_errors(found):
        raise GraphError(found)
    if found:
        print(render(found, color=has_colors()), file=sys.stderr)
    return sysgraph_compiler.compile(reading.graph)
