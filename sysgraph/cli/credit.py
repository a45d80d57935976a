"""`sysgraph credit`: which model of a run learned what."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Endpoints, Format, addresses
from .plugins import AllowNetwork, Plugins, given_tools
from .terminal import say, say_json

if TYPE_CHECKING:
    from rich.table import Table

    from ..reports.credit import Credit, ModelCredit, NodeCredit


def credit(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's folder.")],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Preference pairs; default: those the run's last round held out."
        ),
    ] = None,
    endpoint: Endpoints = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
    format: Format = "text",
) -> None:
    """Splits the margin among the nodes, exactly, and tells what each model's training is worth."""
    from ..reports.facts import read_program
    from ..training.learned import credit_of

    known = addresses(endpoint, read_program(Path(run)))
    tools = given_tools(plugin, allow_network)
    found = credit_of(run, data, endpoints=known, tools=tools)
    if format == "json":
        say_json(found.model_dump_json(indent=2))
    else:
        _print(found)


def _print(found: "Credit") -> None:
    from rich.console import Console

    say(
        f"{found.graph}: margin {found.margin}, accuracy {found.accuracy} on {found.pairs} "
        f"{found.data} ({found.inputs} inputs)" + (f", score {found.score}" if found.score else "")
    )
    if found.skipped:
        say(f"{found.skipped} pairs left out: no drawn trajectory gives one of their sides")
    nodes = [_node(one) for one in found.nodes]
    models = [_model(one) for one in found.models]
    shown = [name for name in models[0] if any(row[name] != _NONE for row in models)]
    for title, rows, names in (("node", nodes, list(nodes[0])), ("model", models, shown)):
        table = _table(title, rows, names)
        # rich cuts columns to what a log or a narrow terminal seems to be wide: numbers must not be
        console = Console(width=10_000)
        Console(width=console.measure(table).maximum).print(table)
    say(
        f"margin: beta ({found.beta:g}) times (log p/p_ref of the chosen side - of the rejected), "
        "against the models before training; the nodes' add up to the system's. [95 %, over inputs]"
    )
    if found.summed:
        say(
            "unobserved values: each trajectory's log-ratios, weighted by the logarithmic mean of "
            "its posteriors under policy and reference"
        )
    if any(one.bound for one in found.nodes):
        say("*: a bound on the log-likelihood, as an image has one")
    say(
        "moved: mean |log p/p_ref| of a value, nats. without it: what falls with the model put back"
    )
    for text in found.warnings:
        say(f"warning: {text}")


_NONE = "–"


def _table(title: str, rows: list[dict[str, str]], names: list[str]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    from sysgraph_schemas.visible import visible

    table = Table()
    for i, name in enumerate(names):
        heading = Text(visible(name or title))
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(visible(row[name])) for name in names))
    return table


def _node(one: "NodeCredit") -> dict[str, str]:
    return {
        "": one.variable + ("*" if one.bound else ""),
        "model": one.model,
        "margin": str(one.margin),
        "share": _percent(one.share),
        "moved": _NONE if one.moved is None else f"{one.moved:.3f}",
    }


def _model(one: "ModelCredit") -> dict[str, str]:
    return {
        "": one.model,
        "margin": str(one.margin),
        "share": _percent(one.share),
        "accuracy without it": _fall(one.accuracy_lost.mean, str(one.accuracy_lost)),
        "score without it": _fall(one.score_lost.mean, str(one.score_lost))
        if one.score_lost
        else _NONE,
        "of the gradient": _percent(one.gradient),
    }


def _fall(mean: float | None, text: str) -> str:
    return _NONE if mean is None else f"falls by {text}"


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{share:.1%}"
