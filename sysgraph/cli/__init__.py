"""The command line. One file a command; importing this imports nothing heavy."""

import os
import sys
from typing import TextIO, cast

import typer

import sysgraph

from ..training.interrupts import signals_interrupt
from .check import check
from .collect import collect
from .compare import compare
from .compile import compile
from .credit import credit
from .draw import draw
from .evaluate import evaluate
from .explain import explain
from .fit import fit
from .last_words import last_words
from .report import report
from .run import run
from .study import study
from .terminal import Lasting, say, tame

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
app.command()(report)
app.command()(credit)
app.command()(compare)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"sysgraph {sysgraph.__version__}")
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
    tame()
    sys.stderr = cast(TextIO, Lasting(sys.stderr))
    with signals_interrupt():
        code = _run()
    sys.exit(code)


def _run() -> int:
    """Runs the command; its exit code, with what went wrong told."""
    try:
        code = int(app(standalone_mode=False) or 0)
        sys.stdout.flush()
    except Exception as error:
        return last_words(error)
    return code
