"""`sysgraph collect --from-log`: preference pairs of what people said of a served system's answers.

The answers are those of the models that were served then; their traces have the tokens that those
sampled. Nothing is sampled here, and models are loaded only where corrections have to be checked.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import sysgraph_compiler
from sysgraph_compiler import Program, load
from sysgraph_schemas import Graph

from ..data import pair_row
from ..data.corrections import corrected
from ..data.images import ImageFiles
from ..data.logs import Logged, LogReader
from ..data.preferences import unusable
from ..data.ratings import Rating, id_of, read_rating
from ..data.rows import Row, convert
from ..data.shards import Shard, ShardFiles
from ..data.shown import BadValue
from ..data.traces import read_trace_row, trace_row
from ..engines.requests import requests
from ..measuring.raters.base import same_outputs
from ..measuring.raters.by_feedback import SAME, Ballots, decide, name_of
from ..support.errors import DataError, InputError, RunError
from ..support.files import write_text
from ..system import System
from ..tools import toolbox_of
from ..traces.course import complete
from ..traces.pair import Pair
from ..traces.trace import Trace
from .collection import require_free, start
from .pairing import line
from .pairs import input_key

ALONE = "rated answers without another to the same inputs that people tell apart"
CUT = "lines that are not whole (a server writes, or was stopped while it wrote)"
GONE = "ratings of answers that are not in the log"
REPLACED = "ratings that their users changed later"
UNUSABLE = "corrections that no pair can be made of"


@dataclass(frozen=True)
class FromLog:
    """What came of a log: `file` holds the pairs, for `fit`; beside it are the rated traces.

    Attributes:
        answers: how many the log holds.
        rated: how many choices of them people said something of.
        policies: how many sets of weights those are from.
        left_out: by the reason, how much of what they said makes no pair.
        why: what is wrong with the first correction that is left out, if one is.
    """

    file: Path
    answers: int
    rated: int
    pairs: int
    policies: int
    left_out: Mapping[str, int]
    why: str = ""


def collect_from_log(
    graph: Graph | str | Path,
    log: str | Path,
    *,
    output: str | Path,
    overwrite: bool = False,
    tools: Mapping[str, Any] | None = None,
) -> FromLog:
    """Writes the preference pairs that a log's ratings make, as `collect` writes its own.

    Called again, it writes them anew: a log grows while its server runs.

    Args:
        log: the folder that `sysgraph serve --log` writes.
        output: the folder to write.
        overwrite: remove the collection in `output` first, if it is another one.
        tools: your own tools by name, as `collect` takes them.

    Raises:
        GraphError, InputError: the graph, the log or the folder is wrong, or the log is of another
            system; nothing was written.
    """
    graph = graph if isinstance(graph, Graph) else load(graph)
    program = sysgraph_compiler.compile(graph, tools=tools or {})
    toolbox_of(program)  # what is wrong with a tool is no rating's fault
    folder = Path(output)
    settings = {"program": json.loads(program.to_json()), "log": str(log)}
    require_free(folder, settings, overwrite)
    found = _gathered(program, Path(log))
    pairs = [*_decided(found), *_corrected(found)]
    found.left_out[ALONE] += len(_alone(found, pairs))
    files = ShardFiles(folder, Shard())
    with files.claimed():
        start(folder, files, settings, overwrite)
        rows = [line(_trace_row(found, name, folder)) for name in found.traces]
        lines = [line(_pair_row(found, pair, folder)) for pair in pairs]
        write_text(files.traces, "".join(rows))
        write_text(files.pairs, "".join(lines))
    return FromLog(
        files.pairs,
        answers=found.answers,
        rated=len(found.ballots.choices & found.traces.keys()),
        pairs=len(pairs),
        policies=len({found.policies[name] for name in found.traces}),
        left_out={why: count for why, count in found.left_out.items() if count},
        why=found.why,
    )


@dataclass
class _Found:
    """What a log holds that people said something of, and failed answers to the same inputs."""

    program: Program
    answers: int
    ballots: Ballots
    traces: dict[str, Trace]
    """By the names of their choices, in order."""
    policies: dict[str, str]
    left_out: Counter[str]
    beyond: set[str] = field(default_factory=set)
    """Of those, the ones whose marks are not looked at, as there are so many."""
    why: str = ""


@dataclass(frozen=True)
class _Named:
    """A pair and the names of its sides; a correction has none."""

    pair: Pair
    names: tuple[str, ...]


def _gathered(program: Program, log: Path) -> _Found:
    reader = LogReader(program, log)
    given = [*reader.ratings()]  # before the answers: a server may go on writing both
    choices = reader.choices()
    left: Counter[str] = Counter()
    ballots = Ballots.count(_ratings(given, choices, left))
    left[REPLACED] += ballots.replaced
    traces, policies = _traces(program, reader, ballots.choices)
    left[CUT] += len(reader.damaged)
    return _Found(program, len(choices), ballots, traces, policies, left)


def _ratings(
    given: Sequence[Logged], choices: Mapping[str, int], left: Counter[str]
) -> Iterator[Rating]:
    """What was said of answers that are there; of others it is counted."""
    for logged in given:
        said = logged.fields.get("said") or {}
        try:
            id = id_of(said)
            if id in choices:
                yield read_rating(said, choices[id])
            else:
                left[GONE] += 1
        except BadValue as error:
            raise DataError([f"{logged.place}: {error}"]) from None


def _traces(
    program: Program, reader: LogReader, rated: Set[str]
) -> tuple[dict[str, Trace], dict[str, str]]:
    """The rated choices, and those to the same inputs that failed; and what answered."""
    answers = {name.rpartition(":")[0] for name in rated}
    rows: dict[str, Row] = {}
    policies: dict[str, str] = {}
    images = ImageFiles(reader.folder)
    for logged in reader.answers(lambda id, failed: failed or id in answers):
        for number, row in enumerate(logged.fields["traces"]):
            name = name_of(logged.fields["answer"], number)
            if name in rated or number in logged.fields["failed"]:
                rows[name] = Row(logged.place, row, images)
                policies[name] = logged.policy
    asked = {_inputs(rows[name]) for name in rated & rows.keys()}
    wanted = [name for name, row in rows.items() if _inputs(row) in asked]
    read = convert([rows[name] for name in wanted], partial(read_trace_row, program))
    return dict(zip(wanted, read, strict=True)), policies


def _inputs(row: Row) -> str:
    return json.dumps(row.fields.get("inputs"), sort_keys=True)


def _decided(found: _Found) -> Iterator[_Named]:
    """The pairs of answers to the same inputs."""
    groups: dict[str, dict[str, Trace]] = {}
    for name, trace in found.traces.items():
        groups.setdefault(input_key(trace.inputs), {})[name] = trace
    for traces in groups.values():
        decided = decide(traces, found.ballots)
        found.left_out.update(decided.left_out)
        found.beyond.update(decided.beyond)
        for better, worse in decided.pairs:
            yield _Named(Pair(traces[better], traces[worse], better), (better, worse))


def _alone(found: _Found, pairs: Sequence[_Named]) -> Set[str]:
    """Those that were marked, or compared, and are in no pair."""
    told = {name for pair in pairs for name in pair.names}
    return found.ballots.compared & found.traces.keys() - told - found.beyond


def _corrected(found: _Found) -> Iterator[_Named]:
    """The pairs of a correction and what it corrects."""
    system: System | None = None
    for (name, _), correction in found.ballots.corrections.items():
        rejected = found.traces.get(name)
        if rejected is None or rejected.stopped is not None:
            continue
        system = system or System(found.program)
        try:
            chosen = corrected(found.program, correction.side, rejected.inputs)
            problem = _problem(system, Pair(chosen, rejected, name))
        except (BadValue, InputError, RunError) as error:
            problem = str(error)
        if problem is not None:
            found.left_out[UNUSABLE] += 1
            found.why = found.why or f"{name}: {problem}"
        elif same_outputs(chosen, rejected):
            found.left_out[SAME] += 1
        else:
            yield _Named(Pair(chosen, rejected, name), (name,))


def _problem(system: System, pair: Pair) -> str | None:
    """Why `fit` would refuse a correction, as of a text that its model can not have written."""
    program, values = system.program, {**pair.rejected.values, **pair.chosen.values}
    if problems := unusable(program, pair):
        return problems[0]
    # After what was written then: what it will be summed over is not known yet.
    trace = complete(program, Trace(pair.chosen.inputs, values, pair.chosen.outputs))
    for variable, request in requests(program, trace):
        is_scored = program.models[request.model].likelihood != "none"
        if variable in pair.chosen.values and is_scored:
            problem = system.problem(request)
            if problem is not None:
                return f"{variable}: {problem}"
    return None


def _trace_row(found: _Found, name: str, folder: Path) -> dict[str, Any]:
    row = trace_row(found.program, found.traces[name], folder)
    return {**row, "source": name, "policy": found.policies[name]}


def _pair_row(found: _Found, named: _Named, folder: Path) -> dict[str, Any]:
    """The pair, which answers it is of and which weights those are from; of a correction, none."""
    sides = (None, *named.names) if len(named.names) == 1 else named.names
    more = {"answers": sides, "policies": [name and found.policies[name] for name in sides]}
    return {**pair_row(found.program, named.pair, folder), **more}
