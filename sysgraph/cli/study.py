"""`sysgraph study`: every way of training the system, side by side."""

from typing import TYPE_CHECKING, Annotated

import typer

from .options import GraphFile, Settings

if TYPE_CHECKING:
    from ..studies import Study


def study(
    graph: GraphFile,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Default: runs/NAME-study.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of every row.")] = 3,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    settings: Settings = None,
) -> None:
    """Before / best-of-n / each model alone / separate DPO / joint, on held-out inputs."""
    from sysgraph_compiler import compile as compile_graph
    from sysgraph_schemas import load

    loaded = load(graph, settings or ())
    compile_graph(loaded)

    from ..studies import study as run

    folder = output or f"runs/{loaded.name}-study"
    result = run(loaded, output=folder, seeds=seeds)
    if format == "json":
        typer.echo(result.model_dump_json(indent=2))
        return
    _print(result)
    typer.echo(f"written to {folder}/study.json")


def _print(result: "Study") -> None:
    from rich.console import Console
    from rich.table import Table

    seeds = len(result.rows[0].seeds)
    table = Table(
        title=f"{result.graph}: {result.scorer} on {result.inputs}, {seeds} seeds, mean ± 95 %"
    )
    columns = ["", "score", *(["perfect"] if result.rows[0].perfect else []), "failed to parse"]
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left", no_wrap=True)
    for row in result.rows:
        values = [row.score, *([row.perfect] if row.perfect else []), row.failed]
        table.add_row(row.name, *map(str, values))
    Console(width=None).print(table)
