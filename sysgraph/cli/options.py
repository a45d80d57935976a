"""Arguments that several commands share."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from sysgraph_compiler import Program

from ..support.addresses import parse, require_hosted, require_known
from ..support.errors import InputError

GraphFile = Annotated[str, typer.Argument(metavar="GRAPH", help="A graph file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="A.B=VALUE", help="Replaces a value of the graph file; repeatable."
    ),
]
ObservedNodes = Annotated[
    str | None,
    typer.Option(
        "--observed",
        metavar="A,B",
        help="The generated nodes whose values data holds; default: all.",
    ),
]
MethodName = Annotated[
    Literal["direct", "sampling"] | None,
    typer.Option(
        "--method",
        help="The objective: with every value observed, or summed over those that are not "
        "(without --observed: all but the outputs).",
    ),
]
ModelDir = Annotated[
    str | None,
    typer.Option("--model-dir", metavar="RUN", help="A run's folder: use the models it trained."),
]
Endpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        metavar="[NAME=]URL",
        help="Where the hosted model NAME is served (without NAME: all that have no address of "
        "their own); repeatable. Keys are read from SYSGRAPH_API_KEY_NAME or SYSGRAPH_API_KEY.",
    ),
]
Format = Annotated[Literal["text", "json"], typer.Option(help="For people, or for programs.")]


def addresses(
    endpoint: list[str] | None, program: Program, *, drawn: bool = False
) -> dict[str, str]:
    """The addresses that --endpoint gives, by model.

    Args:
        drawn: whether every hosted model of the program is to be asked.

    Raises:
        InputError: one is none, or of no hosted model, or is missing.
    """
    found = parse(endpoint or ())
    require_hosted(found, [name for name, spec in program.models.items() if spec.is_hosted])
    if drawn:
        used = dict.fromkeys(term.model for term in program.terms if term.model is not None)
        require_known([name for name in used if program.models[name].is_hosted], found)
    return found


def require_writable(file: Path) -> None:
    """Refuses an output file before anything is computed for it.

    Raises:
        InputError: it cannot be written there.
    """
    folder = file.absolute().parent
    if not folder.is_dir():
        raise InputError(f"cannot write {file}: there is no folder {folder}")
    if file.is_dir():
        raise InputError(f"cannot write {file}: it is a folder")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise InputError(f"cannot write {file}: permission denied")
