"""Many inputs through a system: a file of inputs becomes a file of answers, a row each."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program

from ..data.images import referred, written
from ..data.inputs import InputRow
from ..data.parquet import write_parquet
from ..data.streamed import InputStream, Occurrences, Survey
from ..support.errors import RunError, ServiceError
from ..support.progress import Reporter
from ..system import System
from ..system.weights import weights_of
from ..tools import toolbox_of
from ..traces.course import why_failed
from ..traces.messages import inputs_by_name
from ..traces.outputs import outputs_by_name
from ..traces.trace import Trace, by_node, input_names
from .many import Manner
from .partial import Partial

INPUTS, ERROR = "inputs", "error"


@dataclass
class Tally:
    """How many rows were answered, how many of them failed, and what the first of those says."""

    rows: int = 0
    failed: int = 0
    first: str = ""

    def add(self, place: str, row: Mapping[str, Any]) -> None:
        """Counts one."""
        self.rows += 1
        if row.get(ERROR) is not None:
            self.failed += 1
            self.first = self.first or f"{place}: {row[ERROR]}"


def write_answers(
    build: Callable[[], System],
    program: Program,
    source: str,
    file: Path,
    manner: Manner,
    reporter: Reporter,
) -> Tally:
    """Samples every input once and writes a row each, in order: see `row_of`.

    Rows are sampled many at a time, and each is as it would be alone. Images are written to
    `images` beside the file. Of the inputs, only those that are being sampled are in memory.

    Args:
        build: loads the system, once the inputs are known to be right.
        source: as `load_inputs` takes it, but no rows.
        file: `.jsonl` or `.parquet`; there when it is whole.

    Raises:
        DataError: lines hold no rows, or none has the inputs; nothing was written.
        InputError: the file, or what a stopped call has left, is in the way; nothing was written.
        RunError: it failed, or was interrupted, after rows were written: it can be resumed.
    """
    so_far = Partial(file)
    so_far.require(resume=manner.resume, overwrite=manner.overwrite)
    inputs = InputStream(program, source)
    survey = inputs.survey()
    for name in survey.without:
        reporter.warning(f"field {name!r} of the inputs holds bytes: the answers are without it")
    system = build()
    system.tell(reporter)
    system.require_servers()
    if manner.workers is not None:
        system.ask_at_once(manner.workers)
    settings = _settings(system, survey, manner)
    with so_far.claimed(settings, resume=manner.resume, overwrite=manner.overwrite):
        tally = _sample(system, inputs, survey, so_far, manner, reporter)
        is_table = file.suffix.lower() == ".parquet"
        so_far.publish(partial(_as_parquet, reporter) if is_table else None)
    return tally


def row_of(
    program: Program, given: InputRow, trace: Trace, all_values: bool, folder: Path
) -> dict[str, Any]:
    """A row of the file: the given fields, the inputs, the values by node, and why it failed.

    A given field with the name of something else in the row is kept under `inputs`, where
    `load_inputs` finds it again.

    Args:
        trace: without values where `given` is no input.
        folder: where the file is to lie: paths of images are relative to it.
    """
    if all_values:
        values = by_node(program, trace, partial(written, folder=folder))
    else:
        values = outputs_by_name(program, trace, partial(written, folder=folder))
    known = {*values, INPUTS, ERROR}
    others = {k: v for k, v in given.items() if k not in input_names(program)}
    inputs = {
        **dict.fromkeys(input_names(program)),
        **inputs_by_name(program, trace.inputs, partial(referred, folder=folder)),
        **{key: value for key, value in others.items() if key in known},
    }
    kept = {key: value for key, value in others.items() if key not in known}
    error = given.problem or why_failed(program, trace)
    return {**kept, INPUTS: inputs, **values, ERROR: error or None}


def _settings(system: System, survey: Survey, manner: Manner) -> dict[str, Any]:
    """What decides the rows. A file of inputs may change while its name stays: hence its digest."""
    program = json.loads(system.program.to_json())
    return {
        "rows": survey.count,
        "inputs": survey.digest,
        "seed": manner.seed,
        "all_values": manner.all_values,
        **{part: program[part] for part in ("models", "variables", "parsers", "outputs")},
        "tools": dict(toolbox_of(system.program).fingerprints),
        "weights": weights_of(system, trained=True),
    }


def _sample(
    system: System,
    inputs: InputStream,
    survey: Survey,
    so_far: Partial,
    manner: Manner,
    reporter: Reporter,
) -> Tally:
    """Appends the rows that are not there yet, a few at a time."""
    size = system.inputs_at_once(1)
    done = so_far.kept(survey.count, size)
    tally, before = Tally(), Occurrences(system.program, survey.repeated)
    given = iter(inputs)
    for row, kept in zip(islice(given, done), so_far.read(), strict=True):
        before.of(row)
        tally.add(row.place, kept)
    with reporter.task("run", survey.count, done) as task, so_far.open() as out:
        for chunk in _chunks(given, size):
            traces = _traces(
                system, chunk, before, manner.seed, hopeless=tally.failed == tally.rows
            )
            rows = [
                row_of(system.program, row, trace, manner.all_values, so_far.file.parent)
                for row, trace in zip(chunk, traces, strict=True)
            ]
            for row, answer in zip(chunk, rows, strict=True):
                tally.add(row.place, answer)
            out.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
            out.flush()
            task.advance(len(rows), f"{tally.failed} failed" if tally.failed else None)
    if tally.rows != survey.count:
        raise RunError(f"the inputs changed: {survey.count} rows at first, now {tally.rows}")
    return tally


def _chunks(rows: Iterator[InputRow], size: int) -> Iterator[list[InputRow]]:
    while chunk := [*islice(rows, size)]:
        yield chunk


def _traces(
    system: System, chunk: list[InputRow], before: Occurrences, seed: int, *, hopeless: bool
) -> list[Trace]:
    """A trace a row, of those that are wrong without values; they are sampled together.

    Args:
        hopeless: whether no row was answered so far.

    Raises:
        RunError: a model or a server fails whatever it is asked.
    """
    program = system.program
    right = [(row, before.of(row)) for row in chunk if not row.problem]
    drawn = iter(_drawn(system, right, seed, hopeless=hopeless))
    texts = [v.name for v in program.variables if v.is_given and v.type != "messages"]
    traces = []
    for row in chunk:
        found = next(drawn) if not row.problem else None
        if not isinstance(found, Trace):
            inputs = {name: row[name] for name in texts if name in row}
            found = Trace(inputs, {}, program.outputs, stopped=found)
        traces.append(found)
    return traces


def _drawn(
    system: System, rows: list[tuple[InputRow, int]], seed: int, *, hopeless: bool
) -> list[Trace | str]:
    """A trace a row; where a model fails, what it says of those rows on which it fails alone."""

    def drawn(several: list[tuple[InputRow, int]]) -> list[Trace]:
        given, occurrences = [row for row, _ in several], [number for _, number in several]
        parts = system.stream(given, seed=seed, occurrences=occurrences)
        return [trace for part in parts for trace in part]

    def alone(one: tuple[InputRow, int]) -> Trace | str:
        try:
            return drawn([one])[0]
        except ServiceError:
            raise
        except RunError as error:
            return str(error)

    try:
        return [*drawn(rows)]
    except ServiceError:
        raise
    except RunError:
        found = [alone(one) for one in rows]
        if hopeless and all(isinstance(one, str) for one in found):
            raise
        return found


def _as_parquet(reporter: Reporter, rows: Path, file: Path) -> None:
    for name in write_parquet(rows, file):
        reporter.warning(f"column {name!r} has no type that Parquet can hold: written as texts")
