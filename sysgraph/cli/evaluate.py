"""`sysgraph eval`: score the system's answers."""

from typing import Annotated

import typer

from ..errors import InputError
from .compile import compiled
from .options import Format, GraphFile, ModelDir, Settings


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
    format: Format = "text",
    settings: Settings = None,
) -> None:
    """Answers every held-out input and prints the mean score with its 95 % interval."""
    program = compiled(graph, settings or [])
    source, name = inputs or program.fit.eval_inputs, scorer or program.fit.scorer
    problems = [
        *(["no inputs to answer: give --inputs, or set fit.eval_inputs"] if source is None else []),
        *(["no scorer: give --scorer, or set fit.scorer"] if name is None else []),
    ]
    if source is None or name is None:
        raise InputError("\n".join(f"error: {problem}" for problem in problems))

    from ..data import load_inputs
    from ..evaluation import evaluate as run
    from ..progress import Reporter
    from ..scorers import find_scorer
    from ..system import System

    found, rows = find_scorer(name), load_inputs(program, source)
    system = System(program, model_dir=model_dir)
    result = run(system, rows, found, best_of=best_of, seed=seed, reporter=Reporter())
    typer.echo(result.model_dump_json(indent=2) if format == "json" else str(result))
