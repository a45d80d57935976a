"""`sysgraph report`: what a run has learned, as one page."""

from pathlib import Path
from typing import Annotated

import typer

from .options import require_writable
from .terminal import say


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder, finished or not.")],
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="Default: RUN/report.html."),
    ] = None,
) -> None:
    """Writes one self-contained page: credit over the graph, curves, examples, warnings."""
    from ..reports.page import write_report

    file = Path(output) if output is not None else Path(run) / "report.html"
    if output is not None:
        require_writable(file)
    write_report(Path(run), file)
    say(f"{file}")
