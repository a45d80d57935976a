"""`sysgraph check GRAPH`: every problem at once."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from sysgraph_compiler import diagnose
from sysgraph_schemas import Diagnostic, render
from sysgraph_schemas.diagnostics import has_errors

from .options import GraphFile, Settings
from .plugins import Plugins, given_tools
from .terminal import has_colors, say, show


def check(
    graph: GraphFile,
    settings: Settings = None,
    format: Annotated[
        Literal["text", "json", "github"],
        typer.Option(help="For people, for programs, or as annotations of a GitHub workflow."),
    ] = "text",
    plugin: Plugins = None,
) -> None:
    """Report everything that is wrong with a graph file.

    Exits with 0 when there is nothing but warnings, with 2 otherwise.
    """
    found = diagnose(Path(graph), settings or (), tools=given_tools(plugin))
    text = render(found, format, color=has_colors(sys.stdout))
    if text:
        show(text)
    if format == "text":
        say(f"\n{_summary(graph, found)}" if found else _summary(graph, found))
    if has_errors(found):
        raise typer.Exit(2)


def _summary(name: str, found: Sequence[Diagnostic]) -> str:
    errors = sum(diagnostic.severity == "error" for diagnostic in found)
    warnings = len(found) - errors
    if not found:
        return f"{name}: ok"
    counts = [(errors, "error"), (warnings, "warning")]
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n)
