"""`sysgraph draw GRAPH`: the system's picture."""

from pathlib import Path
from typing import Annotated

import typer

from sysgraph_compiler.drawing import FORMATS, MissingExtraError, render

from ..support.errors import InputError
from ..support.files import write_bytes
from .opening import opened
from .options import GraphFile, Settings, require_writable
from .plugins import Plugins, given_tools
from .terminal import say


def draw(
    graph: GraphFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help=f"Its ending says what: {', '.join(FORMATS)}."
        ),
    ] = None,
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Draw a graph file's system. Without -o, print it as Mermaid.

    Warnings go to stderr. With errors, exits with 2 and writes nothing.
    """
    if output is not None and output.suffix.lower() not in FORMATS:
        raise InputError(f"cannot draw {output}: the endings are {', '.join(FORMATS)}")
    if output is not None:
        require_writable(output)
    program = opened(graph, settings, tools=given_tools(plugin)).program
    if output is None:
        say(render(program, ".mmd").decode().removesuffix("\n"))
        return
    try:
        content = render(program, output.suffix.lower())
    except MissingExtraError as error:
        raise InputError(f"{error}") from None
    write_bytes(output, content)
