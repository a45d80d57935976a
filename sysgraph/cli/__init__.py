"""The command line. One file a command; importing this imports nothing heavy."""

import atexit
import gc
import os
import sys
from typing import Any, TextIO, cast

import typer
from typer.core import TyperGroup

import sysgraph
from sysgraph_schemas.lazily import imported

from ..training.interrupts import signals_interrupt
from .last_words import last_words
from .terminal import Lasting, say, tame

COMMANDS = {
    "check": "check",
    "compile": "compile",
    "draw": "draw",
    "explain": "explain",
    "run": "run",
    "collect": "collect",
    "fit": "fit",
    "eval": "evaluate",
    "study": "study",
    "report": "report",
    "credit": "credit",
    "compare": "compare",
    "export": "export",
    "serve": "serve",
}
"""The module of each command, which has a function of the same name."""


class Commands(TyperGroup):
    """The commands, each imported when it is called, or told of."""

    def list_commands(self, ctx: object) -> list[str]:
        """Their names."""
        return [*COMMANDS]

    def get_command(self, ctx: object, name: str) -> Any:
        """A command; None where there is none of this name, and all of them are then known."""
        for one in [name] if name in COMMANDS else COMMANDS:
            self.commands[one] = self.commands.get(one) or _command(one)
        return self.commands.get(name)


def _command(name: str) -> Any:
    module = COMMANDS[name]
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(getattr(imported(f".{module}", __name__), module))
    return typer.main.get_command(alone)


app = typer.Typer(
    name="sysgraph",
    cls=Commands,
    help="Compile compound AI systems to their log-likelihood, and train them from preferences.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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
    # What is left at the end goes with the process: the collector need not look through it.
    atexit.register(gc.freeze)
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
