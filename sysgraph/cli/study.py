"""`sysgraph study`: every way of training the system, side by side."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import GraphFile, Settings

if TYPE_CHECKING:
    from ..studies import Study


def study(
    graph: GraphFile,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Default: runs/NAME-study.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of every row.")] = 5,
    format: Annotated[Literal["text", "json"], typer.Option(help="How to print the rows.")] = (
        "text"
    ),
    settings: Settings = None,
) -> None:
    """Before, best-of-n, each model alone, separate, per-node and joint training, measured.

    Run again, it goes on where it was stopped.
    """
    from sysgraph_compiler import compile as compile_graph
    from sysgraph_schemas import load

    loaded = load(graph, settings or ())
    compile_graph(loaded)

    from accelerate import PartialState

    from ..errors import RunError
    from ..studies import study as run

    folder = output or f"runs/{loaded.name}-study"
    result = run(loaded, output=folder, seeds=seeds)
    if PartialState().is_main_process:
        if format == "json":
            typer.echo(result.model_dump_json(indent=2))
        else:
            _print(result, seeds)
            typer.echo(f"written to {folder}/study.json")
    failures = [failure for row in result.rows for failure in row.failures]
    if failures:
        raise RunError("\n  ".join([f"{len(failures)} measurement(s) failed:", *failures]))


def _print(result: "Study", seeds: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{result.graph}: {result.scorer} on {result.inputs}, {seeds} seeds, mean ± 95 %"
    )
    columns = ["", "score", *(["perfect"] if result.rows[0].perfect else []), "failed to parse"]
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in result.rows:
        name = f"{row.name} ({len(row.seeds)} of {seeds})" if row.failures else row.name
        values = [row.score, *([row.perfect] if row.perfect else []), row.failed]
        table.add_row(name, *map(str, values))
    # rich cuts columns to what a log or a narrow terminal seems to be wide: numbers must not be.
    console = Console(width=10_000)
    Console(width=console.measure(table).maximum).print(table)
