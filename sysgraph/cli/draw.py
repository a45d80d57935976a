"""`sysgraph draw GRAPH`: the system's picture."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from sysgraph_compiler.drawing import FORMATS, MissingExtraError, drawn

from ..errors import InputError
from .compile import compiled
from .options import GraphFile, Settings


def draw(
    graph: GraphFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help=f"Its ending says what: {', '.join(FORMATS)}."
        ),
    ] = None,
    settings: Settings = None,
) -> None:
    """Draw a graph file's system. Without -o, print it as Mermaid.

    Warnings go to stderr. With errors, exits with 2 and writes nothing.
    """
    if output is not None and output.suffix.lower() not in FORMATS:
        raise InputError(f"error: cannot draw {output}: the endings are {', '.join(FORMATS)}")
    program = compiled(graph, settings or [])
    if output is None:
        typer.echo(drawn(program, ".mmd").decode(), nl=False)
        return
    try:
        content = drawn(program, output.suffix.lower())
    except MissingExtraError as error:
        raise InputError(f"error: {error}") from None
    _write(output, content)


def _write(path: Path, content: bytes) -> None:
    """Writes through a temporary file beside the target, renamed when it is complete."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"error: cannot write {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
