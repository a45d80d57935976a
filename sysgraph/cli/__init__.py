"""The command line. One file a command; importing this imports nothing heavy."""

import os
import sys
from typing import TextIO, cast

import typer

import sysgraph
from sysgraph_schemas import GraphError, render

from ..errors import InputError, RunError
from ..training.interrupts import signals_interrupt
from .check import check
from .collect import collect
from .compile import compile
from .draw import draw
from .evaluate import evaluate
from .explain import explain
from .fit import fit
from .run import run
from .study import study
from .terminal import Lasting, give_up, has_colors

app = typer.Typer(
    name="sysgraph",
    help="Compile compound AI systems to their log-likelihood, and train them from preferences.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(check)
app.command()(compile)
app.command()(draw)
app.command()(explain)
app.command()(run)
app.command()(collect)
app.command()(fit)
app.command("eval")(evaluate)
app.command()(study)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sysgraph {sysgraph.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Compile compound AI systems to their log-likelihood, and train them from preferences."""


def main() -> None:
    """Runs the command line. Exits with 0 (ok), 1 (the run failed) or 2 (the input is wrong)."""
    # Before torch loads its thread pool: threads that wait by spinning make a small model many
    # times slower (20 times, measured) as soon as another program wants the core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.stderr = cast(TextIO, Lasting(sys.stderr))
    with signals_interrupt():
        code = _run()
    sys.exit(code)


def _run() -> int:
    """Runs the command; its exit code, with what went wrong told."""
    try:
        code = _command()
        sys.stdout.flush()
    except OSError as error:
        give_up(sys.stdout)
        if not isinstance(error, BrokenPipeError):  # the reader of the output has seen enough
            where = error.filename or "the output"
            _tell(f"error: cannot read or write {where}: {error.strerror or error}")
        return 1
    return code


def _command() -> int:
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            _tell("error: interrupted")
            return 1
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except GraphError as error:
        _tell(render(error.diagnostics, color=has_colors()))
        return 2
    except (InputError, RunError) as error:
        text = str(error)
        # Errors that list several problems call each of them one already.
        _tell(text if text.startswith("error:") else f"error: {text}")
        return 2 if isinstance(error, InputError) else 1
    return 0


_INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt."""


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
