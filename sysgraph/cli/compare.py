"""`sysgraph compare`: two runs' answers to the same inputs, side by side."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sysgraph_compiler import Program

from ..support.errors import InputError
from .options import Endpoints, Format, addresses, require_writable
from .plugins import AllowNetwork, Plugins, given_tools
from .terminal import say, say_json

if TYPE_CHECKING:
    from ..measuring.judges import Judge
    from ..measuring.scorers import Scorer
    from ..support.progress import Reporter
    from ..traces.trace import Trace

_SHOWN = 5
"""Answers that differ and are printed."""


def compare(
    run: Annotated[str, typer.Argument(metavar="RUN_A", help="A finished run's folder.")],
    other: Annotated[
        str | None,
        typer.Argument(metavar="RUN_B", help="Another's; default: RUN_A before training."),
    ] = None,
    inputs: Annotated[
        str | None, typer.Option(help="Inputs that both answer; default: RUN_A's fit.eval_inputs.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:NAME",
            help="Who decides the win rate, as in `sysgraph eval`; default: the scorer.",
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE.html", help="Writes a page.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the answers.")] = 0,
    endpoint: Endpoints = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
    format: Format = "text",
) -> None:
    """Answers the same inputs by both; scores, the win rate with its interval, and the answers."""
    from ..data import load_inputs
    from ..measuring.judges import find_judge
    from ..measuring.scorers import find_scorer
    from ..measuring.winrate import win_rate
    from ..reports.facts import read_program
    from ..support.progress import Reporter
    from ..tools import bind

    folders = [Path(run), Path(other or run)]
    programs = [read_program(folder) for folder in folders]
    for program in programs:
        bind(program, given_tools(plugin, allow_network))
    own, theirs = programs
    source = inputs or own.fit.eval_inputs
    if source is None:
        raise InputError("no inputs to answer: give --inputs")
    if own.outputs != theirs.outputs:
        raise InputError(
            f"{run} answers with {', '.join(own.outputs)}, {other} with "
            f"{', '.join(theirs.outputs)}: there is nothing to compare"
        )
    if output is not None:
        require_writable(Path(output))
    reporter = Reporter()
    rows = load_inputs(own, source)
    if not rows:
        raise InputError(f"nothing to compare: {source} has no rows")
    scorer = find_scorer(own.fit.scorer) if own.fit.scorer else None
    if scorer is not None:
        scorer.require(rows, source)
    found_judge: Judge | Scorer | None = find_judge(judge, reporter=reporter) if judge else scorer
    names = (run, other if other is not None else "before training")
    model_dirs = (run, other)
    answers = [
        _answers(program, rows, model_dir, seed, addresses(endpoint, program, drawn=True), reporter)
        for program, model_dir in zip(programs, model_dirs, strict=True)
    ]
    wins = win_rate(found_judge, *answers, reporter=reporter) if found_judge is not None else None
    scores = [_scores(scorer, several) for several in answers]
    table = _table(scorer, scores, answers)
    if format == "json":
        _say_json(names, table, wins)
    else:
        _print(names, table, answers)
        say(f"{names[0]} against {names[1]}: {wins}" if wins else "no judge and no scorer: no rate")
    if output is not None:
        _write(Path(output), programs, names, (table, wins), (answers, scores))
        say(f"{output}")


def _answers(
    program: Program,
    rows: Sequence[Mapping[str, Any]],
    model_dir: str | None,
    seed: int,
    endpoints: Mapping[str, str],
    reporter: "Reporter",
) -> "list[Trace]":
    """One answer an input by the system with a run's models, or untrained (None)."""
    from ..system import System
    from ..system.answerable import require_answerable

    system = System(program, model_dir=model_dir, endpoints=endpoints)
    system.tell(reporter)
    require_answerable(system, rows, "the inputs")
    traces: list[Trace] = []
    with reporter.task(f"answers of {model_dir or 'the untrained system'}", len(rows)) as task:
        for part in system.stream(rows, seed=seed):
            traces += part
            task.advance(len(part))
    return traces


def _scores(scorer: "Scorer | None", answers: "Sequence[Trace]") -> list[float] | None:
    return None if scorer is None else list(scorer(answers))


def _table(
    scorer: "Scorer | None",
    scores: Sequence[list[float] | None],
    answers: "Sequence[Sequence[Trace]]",
) -> list[list[str]]:
    from ..measuring.evaluation import summarize

    rows = []
    if scorer is not None:
        found = [
            summarize(s or [], scorer, several) for s, several in zip(scores, answers, strict=True)
        ]
        rows.append([scorer.name, *(str(one.score) for one in found)])
        if all(one.perfect for one in found):
            rows.append(["perfect", *(str(one.perfect) for one in found)])
        rows.append(["without an output", *(str(one.failed) for one in found)])
    lengths = [sum(len(t.output()) for t in several) / max(1, len(several)) for several in answers]
    rows.append(["characters of an answer", *(f"{mean:.1f}" for mean in lengths)])
    same = sum(a.output() == b.output() for a, b in zip(*answers, strict=True))
    rows.append(["equal answers", f"{same} of {len(answers[0])}", ""])
    return rows


def _say_json(names: tuple[str, str], table: Sequence[Sequence[str]], wins: Any) -> None:
    import json

    found = {
        "compared": list(names),
        "measured": {name: values for name, *values in table},
        "win_rate": wins.model_dump() if wins is not None else None,
    }
    say_json(json.dumps(found, indent=2))


def _print(
    names: tuple[str, str], table: Sequence[Sequence[str]], answers: "Sequence[Sequence[Trace]]"
) -> None:
    differing = [(a, b) for a, b in zip(*answers, strict=True) if a.output() != b.output()]
    for a, b in differing[:_SHOWN]:
        say(", ".join(f"{name}: {text}" for name, text in a.inputs.items()))
        say(f"  {names[0]}: {a.output() or '(none)'}\n  {names[1]}: {b.output() or '(none)'}")
    if len(differing) > _SHOWN:
        say(f"... and {len(differing) - _SHOWN} more that differ (-o FILE.html shows them)")
    for name, first, second in table:
        say(f"{name}: {first}" + (f" / {second}" if second else ""))


def _write(
    file: Path,
    programs: Sequence[Program],
    names: tuple[str, str],
    measured: tuple[list[list[str]], Any],
    found: tuple["Sequence[Sequence[Trace]]", Sequence[list[float] | None]],
) -> None:
    from ..data.traces import trace_row
    from ..reports.side_by_side import side_by_side
    from ..support.files import write_text

    table, wins = measured
    rows = [*table, ["win rate", str(wins.win_rate), wins.judge]] if wins else table
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sides = [
            [
                {
                    **trace_row(program, trace, folder),
                    "score": None if scores is None or scores[i] == -math.inf else scores[i],
                }
                for i, trace in enumerate(several)
            ]
            for program, several, scores in zip(programs, *found, strict=True)
        ]
        write_text(file, side_by_side(programs[0], names, rows, (sides[0], sides[1]), folder))
