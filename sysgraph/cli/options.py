"""Arguments that several commands share."""

from typing import Annotated, Literal

import typer

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
Format = Annotated[Literal["text", "json"], typer.Option(help="For people, or for programs.")]
