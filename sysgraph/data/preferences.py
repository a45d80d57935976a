"""Preference pairs from rows, and back: our own format, TRL's, and what lies between."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program
from sysgraph_schemas.suggest import closest

from ..latent import Gaps, find_gaps, unfounded
from ..tools import toolbox_of
from ..traces.messages import inputs_by_name
from ..traces.pair import Pair
from ..traces.trace import Given, Trace, by_node, ids_by_node, input_names
from .columns import as_json
from .images import ImageFiles, written
from .implicit import with_prompt
from .inputs import row_inputs
from .rows import Row, Source, convert, read_rows
from .shown import BadValue
from .trl import by_its_node
from .values import example, read_trace

_SIDES = ("chosen", "rejected")
_IDS = ("chosen_ids", "rejected_ids")
_FAILED = ("chosen_failed", "rejected_failed")


def load_pairs(program: Program, source: Source) -> list[Pair]:
    """The preference pairs of a file or dataset.

    A row is {"inputs": {...}, "chosen": {...}, "rejected": {...}} with a value per node (a list for
    a `for_each` node). Inputs may also stand in the row itself, by name, or as TRL's "prompt" for a
    graph with one input; a side may be a text, a message or an image for a graph with one output.
    Without inputs, both sides may begin with the prompt, as TRL's implicit one (see `implicit`).
    Images are paths relative to the file. The row's other fields are kept as `Trace.extra`. What a
    row lacks is summed over.

    Args:
        source: as `read_rows` takes it.

    Raises:
        DataError: rows that are not so, lack an output or a value that `fit.observed` names, or
            name an image that is missing or damaged; all of them, with file:row.
        InputError: nothing can be read there.
    """
    toolbox_of(program)  # what is wrong with a tool is no row's fault
    return convert(read_rows(source), lambda row, problems: _pair(program, row, problems))


def pair_row(program: Program, pair: Pair, folder: Path) -> dict[str, Any]:
    """The row that `load_pairs` reads the pair from, token ids included.

    Its images are written to `folder`, where the row's file is to lie.
    """
    row: dict[str, Any] = {
        **pair.chosen.extra,
        "inputs": inputs_by_name(program, pair.chosen.inputs, partial(written, folder=folder)),
    }
    for side, ids, trace in zip(_SIDES, _IDS, (pair.chosen, pair.rejected), strict=True):
        row[side] = by_node(program, trace, partial(written, folder=folder))
        row[ids] = ids_by_node(program, trace)
        if trace.failures:
            row[f"{side}_failed"] = dict(trace.failures)
    return row


def unusable(program: Program, pair: Pair) -> list[str]:
    """Why `load_pairs` would refuse a pair of completed traces; nothing where it would not."""
    sides = zip(_SIDES, (pair.chosen, pair.rejected), strict=True)
    found = [problem for side, trace in sides for problem in _lacking(program, trace, side)]
    return found or _refused(program, find_gaps(program, pair.chosen, pair.rejected))


def _pair(program: Program, row: Row, problems: list[str]) -> Pair | None:
    fields = row.fields
    problems += [_missing(side, fields) for side in _SIDES if fields.get(side) is None]
    if problems:
        return None
    try:
        fields = with_prompt(program, fields)
        inputs, used = _inputs(program, fields, row.images, problems)
        values = {side: by_its_node(program, side, fields[side]) for side in _SIDES}
    except BadValue as error:
        problems.append(str(error))
        return None
    used |= {"inputs", *_SIDES, *_IDS, *_FAILED}
    extra = {key: as_json(value) for key, value in fields.items() if key not in used}
    traces = []
    for side, ids in zip(_SIDES, _IDS, strict=True):
        given = (side, values[side]), (ids, fields.get(ids))
        found: list[str] = []
        traces.append(
            read_trace(
                program, inputs, *given, extra, row.images, found, fields.get(f"{side}_failed")
            )
        )
        problems += found or _lacking(program, traces[-1], side)
    chosen, rejected = traces
    if not problems:
        problems += _refused(program, find_gaps(program, chosen, rejected))
    return Pair(chosen, rejected, row.place)


def _missing(side: str, fields: Mapping[str, Any]) -> str:
    if side in fields:
        return f"{side!r} is null; expected what the system gave"
    near = closest(side, [name for name in fields if name not in _SIDES])
    has = f"the row has {', '.join(map(str, fields)) or 'no fields'}"
    hint = f"is {near!r} a misspelling of it?" if near else has
    return f"no {side!r}; expected what the system gave ({hint})"


def _inputs(
    program: Program, fields: Mapping[str, Any], images: ImageFiles, problems: list[str]
) -> tuple[dict[str, Given], set[str]]:
    found = row_inputs(program, fields, images, problems)
    if found is not None:
        return found
    near = [name for name in input_names(program) if closest(name, fields) is not None]
    hint = f" (is {closest(near[0], fields)!r} a misspelling of {near[0]!r}?)" if near else ""
    raise BadValue(f"no 'inputs'; expected {example(program)}{hint}")


def _lacking(program: Program, trace: Trace, side: str) -> list[str]:
    """Values that have to be there, and are not: the outputs, and what `fit.observed` names."""
    there = trace.values.keys() | trace.nonexistent
    named = set(program.fit.observed or ())
    observed = [
        name
        for name in program.likely
        if {name, program.variable(name).node} & named and name not in there
    ]
    absent = [name for name in dict.fromkeys((*program.outputs, *observed)) if name not in there]
    if not absent:
        return []
    why = "`fit.observed` names them" if observed else "preferences are about the outputs"
    return [
        f"{side}: no value for {', '.join(absent)}; expected one, as in {example(program)} ({why})"
    ]


def _refused(program: Program, gaps: Gaps | None) -> list[str]:
    """Why what a row lacks cannot be summed over."""
    if gaps is None:
        return []
    found = [f"{s}.{p}" for i, s in enumerate(_SIDES) for p in unfounded(program, gaps, i)]
    if found or not gaps.plan.latent:
        return found
    lacks = f"no value for {', '.join(gaps.plan.latent)}"
    if program.fit.credit == "node":
        return [
            f"{lacks}; expected one for every generated node, as in {example(program)} "
            "(`credit: node` gives each node a loss of its own value)"
        ]
    bounds = [t.variable for t in program.terms if t.bound and t.variable in gaps.plan.summed]
    if bounds:
        return [
            f"{lacks}; expected one, as {', '.join(bounds)} depends on it and has a bound for its "
            "log-likelihood, which no sum over unobserved values can hold"
        ]
    likelihoods = {name: spec.likelihood for name, spec in program.models.items()}
    unlikely = [
        term.variable
        for term in program.terms
        if term.model is not None
        and likelihoods[term.model] == "none"
        and term.variable in gaps.plan.summed
    ]
    if unlikely:
        return [
            f"{lacks}; expected one, as {', '.join(unlikely)} would stand inside the sum over what "
            "is not observed, and its model gives no likelihood"
        ]
    return []
