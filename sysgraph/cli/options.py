"""Arguments that several commands share."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from sysgraph_compiler import Program

from ..support.addresses import SERVERS, parse, require_hosted, require_known
from ..support.errors import InputError
from ..support.servers import Servers

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
ServerAddresses = Annotated[
    list[str] | None,
    typer.Option(
        "--server",
        metavar="[NAME=]URL",
        help="Where the server NAME is that samples models (without NAME: all that have no address "
        "of their own); repeatable. Keys are read from SYSGRAPH_SERVER_KEY_NAME or "
        "SYSGRAPH_SERVER_KEY.",
    ),
]
AdapterDir = Annotated[
    Path | None,
    typer.Option(
        "--adapters",
        metavar="DIR",
        help="Where adapters are written for servers to read: a folder that they share with this "
        "machine, under the same path; default: in the user's cache.",
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


def servers_of(
    server: list[str] | None, adapters: Path | None, program: Program, *, drawn: bool = False
) -> Servers:
    """The servers that --server and --adapters give.

    Args:
        drawn: whether every one that the program names is to be asked.

    Raises:
        InputError: an address is none, or of no such server, or is missing.
    """
    found = parse(server or (), SERVERS)
    used = dict.fromkeys(term.model for term in program.terms if term.model is not None)
    several = (program.models[model].server for model in used)
    names = list(dict.fromkeys(name for name in several if name is not None))
    require_hosted(found, names, SERVERS)
    if adapters is not None and not names:
        raise InputError(f"--adapters: {SERVERS.none}")
    if drawn:
        require_known(names, found, SERVERS)
    return Servers(found, adapters)


def bound_addresses(
    endpoint: list[str] | None, server: list[str] | None, adapters: Path | None
) -> list[str]:
    """The arguments that bind all this once more, for a command that goes on."""
    words = [word for one in endpoint or () for word in ("--endpoint", one)]
    words += [word for one in server or () for word in ("--server", one)]
    return [*words, "--adapters", str(adapters)] if adapters is not None else words


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
