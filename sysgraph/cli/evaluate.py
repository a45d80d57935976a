"""`sysgraph eval`: score the system's answers, or have a judge compare them with others."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sysgraph_compiler import Program

from ..support.errors import DataError, InputError
from ..support.servers import Servers
from .opening import opened
from .options import (
    AdapterDir,
    Endpoints,
    Format,
    GraphFile,
    ModelDir,
    ServerAddresses,
    Settings,
    addresses,
    servers_of,
)
from .plugins import AllowNetwork, Plugins, given_scorer, given_tools
from .terminal import say, say_json

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ..measuring.evaluation import Evaluation
    from ..measuring.scorers import Scorer
    from ..measuring.winrate import WinRate
    from ..support.progress import Reporter
    from ..system import System
    from ..traces.trace import Trace

_REFERENCE = "reference:"


def evaluate(
    graph: GraphFile,
    model_dir: ModelDir = None,
    inputs: Annotated[
        str | None, typer.Option(help="Held-out inputs; default: fit.eval_inputs.")
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            help="A registered name, a model (image:clip:ID), or a function in a Python file "
            "(./my.py:exact), whose code runs; default: fit.scorer."
        ),
    ] = None,
    best_of: Annotated[
        int, typer.Option(min=1, max=1024, help="Answers per input, the best-scored counts.")
    ] = 1,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:NAME",
            help="Instead of a score, the win rate by scorer:NAME, reward:ID (a sequence "
            "classifier) or openai:MODEL (an endpoint, see OPENAI_BASE_URL and OPENAI_API_KEY).",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|reference:FIELD",
            help="With --judge, whose answers to compare with: another run's, or a field of the "
            "inputs; default: the untrained system's.",
        ),
    ] = None,
    endpoint: Endpoints = None,
    server: ServerAddresses = None,
    adapters: AdapterDir = None,
    seed: Annotated[int, typer.Option(help="Seed of the answers.")] = 0,
    format: Format = "text",
    settings: Settings = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
) -> None:
    """Answers every held-out input; prints the mean score or win rate with its 95 % interval."""
    program = opened(graph, settings, tools=given_tools(plugin, allow_network)).program
    build = partial(
        _system,
        program,
        endpoints=addresses(endpoint, program, drawn=True),
        servers=servers_of(server, adapters, program, drawn=True),
    )
    source = inputs or program.fit.eval_inputs
    name = given_scorer(scorer) if scorer else program.fit.scorer
    problems = [] if source else ["no inputs to answer: give --inputs, or set fit.eval_inputs"]
    if judge is None:
        problems += [] if name else ["no scorer: give --scorer, or set fit.scorer"]
        problems += ["--against: needs a --judge"] if against is not None else []
    else:
        images = {v.name for v in program.variables if v.type == "image"} & set(program.outputs)
        problems += ["--judge: reads texts, and this system answers with images"] if images else []
        problems += _judge_problems(against, model_dir, scorer, best_of)
    if problems:
        raise InputError("\n".join(f"error: {problem}" for problem in problems))
    assert source is not None
    if judge is not None:
        result: BaseModel = _win_rate(program, build, source, judge, against, model_dir, seed)
    else:
        assert name is not None
        result = _score(program, build, source, name, best_of, model_dir, seed)
    if format == "json":
        say_json(result.model_dump_json(indent=2))
    else:
        say(str(result))


Build = Callable[[str | None], "System"]
"""Makes the system with a run's models, or untrained (None)."""


def _system(
    program: Program, model_dir: str | None, *, endpoints: Mapping[str, str], servers: Servers
) -> "System":
    from ..system import System

    return System(program, model_dir=model_dir, endpoints=endpoints, servers=servers)


def _score(
    program: Program,
    build: Build,
    source: str,
    name: "str | Scorer",
    best_of: int,
    model_dir: str | None,
    seed: int,
) -> "Evaluation":
    from ..data import load_inputs
    from ..measuring.evaluation import evaluate as run
    from ..measuring.scorers import as_scorer
    from ..support.progress import Reporter

    scorer, rows = as_scorer(name), load_inputs(program, source)
    scorer.require(rows, source)
    system = build(model_dir)
    reporter = Reporter()
    system.tell(reporter)
    return run(system, rows, scorer, best_of=best_of, seed=seed, reporter=reporter)


def _judge_problems(
    against: str | None, model_dir: str | None, scorer: str | None, best_of: int
) -> list[str]:
    problems = []
    if scorer is not None or best_of > 1:
        problems.append("--scorer and --best-of: not with --judge, which compares single answers")
    if against is None:
        if model_dir is None:
            problems.append(
                "--judge: nothing to compare the untrained system with: give --model-dir, or "
                "--against"
            )
    elif against == _REFERENCE:
        problems.append("--against: expected reference:FIELD, FIELD a field of the inputs")
    elif not against.startswith(_REFERENCE) and not (against and Path(against).is_dir()):
        problems.append(
            f"--against: {against!r} is no folder; expected a run's, or reference:FIELD"
        )
    return problems


def _win_rate(
    program: Program,
    build: Build,
    source: str,
    judge: str,
    against: str | None,
    model_dir: str | None,
    seed: int,
) -> "WinRate":
    from ..data import load_inputs
    from ..measuring.judges import find_judge
    from ..measuring.winrate import win_rate
    from ..support.progress import Reporter

    reporter = Reporter()
    rows = load_inputs(program, source)
    if not rows:
        raise InputError(f"nothing to evaluate: {source} has no rows")
    references = None
    if against is not None and against.startswith(_REFERENCE):
        references = _references(rows, source, against.removeprefix(_REFERENCE))
    found = find_judge(judge, reporter=reporter)
    answers = _answers(build, rows, model_dir, seed, reporter)
    others = references or _answers(build, rows, against, seed, reporter)
    return win_rate(found, answers, others, reporter=reporter)


def _references(rows: Sequence[Mapping[str, Any]], source: str, field: str) -> list[str]:
    """The reference answer of each row.

    Raises:
        DataError: rows without one, all of them.
    """
    from ..data.shown import kind

    problems = [
        f"{source}: row {i}: {field}: expected a text, got "
        f"{kind(row[field]) if field in row else 'nothing'}"
        for i, row in enumerate(rows, start=1)
        if not isinstance(row.get(field), str)
    ]
    if problems:
        raise DataError(problems)
    return [row[field] for row in rows]


def _answers(
    build: Build,
    rows: Sequence[Mapping[str, Any]],
    model_dir: str | None,
    seed: int,
    reporter: "Reporter",
) -> "list[Trace]":
    """One answer an input by the system with a run's models, or untrained (None)."""
    from ..system.answerable import require_answerable

    system = build(model_dir)
    system.tell(reporter)
    require_answerable(system, rows, "the inputs")
    traces: list[Trace] = []
    with reporter.task(f"answers of {model_dir or 'the untrained system'}", len(rows)) as task:
        for part in system.stream(rows, seed=seed):
            traces += part
            task.advance(len(part))
    return traces
