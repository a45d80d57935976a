"""`sysgraph eval`: score the system's answers."""

from typing import Annotated

import typer

from .options import GraphFile, ModelDir, Settings


def evaluate(
    graph: GraphFile,
    model_dir: ModelDir = None,
    inputs: Annotated[
        str | None, typer.Option(help="Held-out inputs; default: fit.eval_inputs.")
    ] = None,
    scorer: Annotated[
        str | None, typer.Option(help="A registered scorer; default: fit.scorer.")
    ] = None,
    best_of: Annotated[
        int, typer.Option(min=1, help="Answers per input, the best-scored counts.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the answers.")] = 0,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    settings: Settings = None,
) -> None:
    """Answers every held-out input and prints the mean score with its 95 % interval."""
    from sysgraph_compiler import compile as compile_graph
    from sysgraph_schemas import load

    from ..errors import InputError

    program = compile_graph(load(graph, settings or ()))
    source, name = inputs or program.fit.eval_inputs, scorer or program.fit.scorer
    if source is None or name is None:
        raise InputError(
            "nothing to score: give --inputs and --scorer, or fit.eval_inputs and fit.scorer"
        )

    from ..data import load_inputs
    from ..evaluation import evaluate as run
    from ..progress import Reporter
    from ..scorers import find_scorer
    from ..system import System

    found, rows = find_scorer(name), load_inputs(program, source)
    system = System(program)
    if model_dir is not None:
        system.load(model_dir)
    result = run(system, rows, found, best_of=best_of, seed=seed, reporter=Reporter())
    typer.echo(result.model_dump_json(indent=2) if format == "json" else str(result))
