"""`sysgraph study`: every way of training the system, side by side."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .opening import opened
from .options import (
    AdapterDir,
    Endpoints,
    Format,
    GraphFile,
    ServerAddresses,
    Settings,
    addresses,
    servers_of,
)
from .plugins import AllowNetwork, Plugins, given_scorer, given_tools
from .terminal import say, say_json

if TYPE_CHECKING:
    from ..measuring.evaluation import Estimate
    from ..studies import Study, StudyRow

_NONE = "–"
_LOST = ("no output", "abstained")


def study(
    graph: GraphFile,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Default: runs/NAME-study.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Repetitions of every row.")] = 5,
    compare: Annotated[
        Literal["training", "samplers"],
        typer.Option(help="Ways of training, or the samplers of unobserved values."),
    ] = "training",
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:NAME",
            help="Who decides win rates, as in `sysgraph eval`; default: the scorer.",
        ),
    ] = None,
    cut_loops: Annotated[
        bool,
        typer.Option(
            "--cut-loops", help="Also the system with each loop run once, as if it had no cycle."
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Remove the study that is in --output first.")
    ] = False,
    endpoint: Endpoints = None,
    server: ServerAddresses = None,
    adapters: AdapterDir = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.py:NAME",
            help="The scorer of outputs; default: fit.scorer. A file's code runs.",
        ),
    ] = None,
    format: Format = "text",
    settings: Settings = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Before, best-of-n, each model alone, separate, one-sample and joint training, measured.

    Run again, it goes on where it was stopped.
    """
    tools = given_tools(plugin, allow_network)
    found = opened(graph, settings, tools=tools)
    loaded, endpoints = found.graph, addresses(endpoint, found.program)
    servers = servers_of(server, adapters, found.program, drawn=True)

    from ..measuring.judges import find_judge
    from ..studies import study as run
    from ..support.errors import RunError
    from ..support.files import component
    from ..support.processes import processes

    folder = output or f"runs/{component(loaded.name)}-study"
    chosen = find_judge(judge) if judge is not None else None
    result = run(
        loaded,
        output=folder,
        seeds=seeds,
        compare=compare,
        scorer=None if scorer is None else given_scorer(scorer),
        judge=chosen,
        overwrite=overwrite,
        tools=tools,
        endpoints=endpoints,
        servers=servers,
        cut_loops=cut_loops,
    )
    if processes().is_main_process:
        if format == "json":
            say_json(result.model_dump_json(indent=2))
        else:
            _print(result, seeds)
            name = "study" if compare == "training" else "samplers"
            say(f"written to {folder}/{name}.json")
    failures = [failure for row in result.rows for failure in row.failures]
    if failures:
        raise RunError("\n  ".join([f"{len(failures)} measurement(s) failed:", *failures]))


def _print(result: "Study", seeds: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sysgraph_schemas.visible import visible

    from ..measuring.evaluation import WHY_ABSTAINED, WHY_FAILED

    table = Table(
        title=Text(
            visible(f"{result.graph}: {result.scorer} on {result.inputs}, ")
            + f"{seeds} seeds, mean [95 %]"
        )
    )
    cells = [_cells(row) for row in result.rows]
    names = dict.fromkeys(name for several in cells for name in several)
    shown = [name for name in names if any(_says(name, s.get(name)) for s in cells)]
    for i, name in enumerate(("", *shown)):
        table.add_column(Text(visible(name)), justify="right" if i else "left", no_wrap=True)
    for row, several in zip(result.rows, cells, strict=True):
        name = f"{row.name} ({len(row.seeds)} of {seeds})" if row.failures else row.name
        values = (_shown(several.get(column)) for column in shown)
        table.add_row(*(Text(visible(cell)) for cell in (name, *values)))
    # rich cuts columns to what a log or a narrow terminal seems to be wide: numbers must not be.
    console = Console(width=10_000)
    Console(width=console.measure(table).maximum).print(table)
    if "vs before" in shown:
        say(
            f"vs ...: how often {result.judge} finds the row's answer better than the inputs' "
            "`reference`, or than the untrained system's; a tie counts half"
        )
    for column, why in zip(_LOST, (WHY_FAILED, WHY_ABSTAINED), strict=True):
        if column in shown:
            say(f"{column}: {why}")
    for row in result.rows:
        say(f"{row.name}: {row.meaning}")


def _cells(row: "StudyRow") -> "dict[str, Estimate | int | None]":
    """The row's columns; None where there is nothing to say."""
    draws = row.draws
    return {
        "score": row.score,
        "perfect": row.perfect,
        **row.shares,
        "no output": row.failed,
        "abstained": row.abstained,
        "vs reference": row.against_reference,
        "vs before": row.against_before,
        "drawn": draws.drawn if draws else None,
        "distinct": draws.distinct if draws else None,
        "effective": draws.effective if draws else None,
        "mass covered": draws.covered if draws else None,
    }


def _says(column: str, value: "Estimate | int | None") -> bool:
    """Whether a cell is worth its column: that no answer was lost is not."""
    from ..measuring.evaluation import Estimate

    if column in _LOST and isinstance(value, Estimate):
        return bool(value.mean)
    return value is not None


def _shown(value: "Estimate | int | None") -> str:
    return _NONE if value is None else str(value)
