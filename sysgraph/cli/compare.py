"""`sysgraph compare`: two runs' answers to the same inputs, side by side."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sysgraph_compiler import Program

from ..support.errors import InputError
from ..support.servers import Servers
from .options import (
    AdapterDir,
    Endpoints,
    Format,
    ServerAddresses,
    addresses,
    require_writable,
    servers_of,
)
from .plugins import AllowNetwork, Plugins, given_tools
from .terminal import say, say_json

if TYPE_CHECKING:
    from ..measuring.judges import Judge
    from ..measuring.scorers import Scorer
    from ..measuring.winrate import WinRate
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
    server: ServerAddresses = None,
    adapters: AdapterDir = None,
    plugin: Plugins = None,
    allow_network: AllowNetwork = False,
    format: Format = "text",
) -> None:
    """Answers the same inputs by both; scores, the win rate with its interval, and the answers."""
    from ..measuring.judges import find_judge
    from ..measuring.winrate import win_rate
    from ..support.progress import Reporter
    from ..tools import bind

    sides = _sides(run, other)
    for side in sides:
        bind(side.program, given_tools(plugin, allow_network))
    if output is not None:
        require_writable(Path(output))
    places = [
        (
            addresses(endpoint, side.program, drawn=True),
            servers_of(server, adapters, side.program, drawn=True),
        )
        for side in sides
    ]
    reporter = Reporter()
    rows, scorer = _asked(sides[0].program, inputs)
    decides: Judge | Scorer | None = find_judge(judge, reporter=reporter) if judge else scorer
    answers = [
        _answers(side, *place, rows, seed, reporter)
        for side, place in zip(sides, places, strict=True)
    ]
    wins = win_rate(decides, *answers, reporter=reporter) if decides is not None else None
    found = _Found(sides, answers, scorer, wins)
    if format == "json":
        _say_json(found)
    else:
        _print(found)
    if output is not None:
        _write(Path(output), found)
        say(f"{output}")


@dataclass(frozen=True)
class _Side:
    """One of the two systems; with the models of the run `model_dir`, or untrained (None)."""

    name: str
    program: Program
    model_dir: str | None


@dataclass(frozen=True)
class _Found:
    """Both sides' answers to the same inputs, and who won; `wins`: None without a judge."""

    sides: "tuple[_Side, _Side]"
    answers: "Sequence[Sequence[Trace]]"
    scorer: "Scorer | None"
    wins: "WinRate | None"

    @property
    def names(self) -> tuple[str, str]:
        first, second = self.sides
        return first.name, second.name

    @cached_property
    def scores(self) -> list[list[float] | None]:
        """Of each side's answers; None without a scorer."""
        return [None if self.scorer is None else list(self.scorer(one)) for one in self.answers]

    @cached_property
    def table(self) -> list[list[str]]:
        """What was measured: a name, then a text for each of the two."""
        from ..measuring.evaluation import summarize

        rows, scorer = [], self.scorer
        if scorer is not None:
            found = [
                summarize(scores or [], scorer, several)
                for scores, several in zip(self.scores, self.answers, strict=True)
            ]
            rows.append([scorer.name, *(str(one.score) for one in found)])
            if all(one.perfect for one in found):
                rows.append(["perfect", *(str(one.perfect) for one in found)])
            rows.append(["without an output", *(str(one.failed) for one in found)])
        characters = [sum(len(t.output()) for t in one) / max(1, len(one)) for one in self.answers]
        rows.append(["characters of an answer", *(f"{mean:.1f}" for mean in characters)])
        same = sum(a.output() == b.output() for a, b in zip(*self.answers, strict=True))
        rows.append(["equal answers", f"{same} of {len(self.answers[0])}", ""])
        return rows


def _sides(run: str, other: str | None) -> tuple[_Side, _Side]:
    """The two.

    Raises:
        InputError: a run is not finished, or they do not answer with the same nodes.
    """
    from ..reports.facts import read_program

    first = _Side(run, read_program(Path(run)), run)
    second = _Side(other or "before training", read_program(Path(other or run)), other)
    own, theirs = (", ".join(side.program.outputs) for side in (first, second))
    if own != theirs:
        raise InputError(
            f"{run} answers with {own}, {other} with {theirs}: there is nothing to compare"
        )
    return first, second


def _asked(
    program: Program, inputs: str | None
) -> "tuple[Sequence[Mapping[str, Any]], Scorer | None]":
    """The inputs that both answer, and the graph's scorer if it names one.

    Raises:
        InputError: there are none, or they are not what the scorer needs.
    """
    from ..data import load_inputs
    from ..measuring.scorers import find_scorer

    source = inputs or program.fit.eval_inputs
    if source is None:
        raise InputError("no inputs to answer: give --inputs")
    rows = load_inputs(program, source)
    if not rows:
        raise InputError(f"nothing to compare: {source} has no rows")
    scorer = find_scorer(program.fit.scorer) if program.fit.scorer else None
    if scorer is not None:
        scorer.require(rows, source)
    return rows, scorer


def _answers(
    side: _Side,
    endpoints: Mapping[str, str],
    servers: Servers,
    rows: Sequence[Mapping[str, Any]],
    seed: int,
    reporter: "Reporter",
) -> "list[Trace]":
    """One answer an input."""
    from ..system import System
    from ..system.answerable import require_answerable

    system = System(side.program, model_dir=side.model_dir, endpoints=endpoints, servers=servers)
    system.tell(reporter)
    require_answerable(system, rows, "the inputs")
    traces: list[Trace] = []
    named = f"answers of {side.model_dir or 'the untrained system'}"
    with reporter.task(named, len(rows)) as task:
        for part in system.stream(rows, seed=seed):
            traces += part
            task.advance(len(part))
    return traces


def _say_json(found: _Found) -> None:
    import json

    said = {
        "compared": list(found.names),
        "measured": {name: values for name, *values in found.table},
        "win_rate": found.wins.model_dump() if found.wins is not None else None,
    }
    say_json(json.dumps(said, indent=2))


def _print(found: _Found) -> None:
    first, second = found.names
    differing = [(a, b) for a, b in zip(*found.answers, strict=True) if a.output() != b.output()]
    for a, b in differing[:_SHOWN]:
        say(", ".join(f"{name}: {a[name]}" for name in a.inputs))
        say(f"  {first}: {a.output() or '(none)'}\n  {second}: {b.output() or '(none)'}")
    if len(differing) > _SHOWN:
        say(f"... and {len(differing) - _SHOWN} more that differ (-o FILE.html shows them)")
    for name, one, another in found.table:
        say(f"{name}: {one}" + (f" / {another}" if another else ""))
    won = f"{first} against {second}: {found.wins}"
    say(won if found.wins else "no judge and no scorer: no rate")


def _write(file: Path, found: _Found) -> None:
    from ..data.traces import trace_row
    from ..reports.side_by_side import side_by_side
    from ..support.files import write_text

    table, wins = found.table, found.wins
    rows = [*table, ["win rate", str(wins.win_rate), wins.judge]] if wins else table
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        first, second = (
            [
                {
                    **trace_row(side.program, trace, folder),
                    "score": None if scores is None or scores[i] == -math.inf else scores[i],
                }
                for i, trace in enumerate(answers)
            ]
            for side, answers, scores in zip(found.sides, found.answers, found.scores, strict=True)
        )
        program = found.sides[0].program
        write_text(file, side_by_side(program, found.names, rows, (first, second), folder))
