"""Rows that no model can be asked about, found before anything is sampled or written."""

from collections.abc import Mapping, Sequence
from typing import Any

from sysgraph_compiler import Variable

from ..engines import Draw
from ..support.errors import DataError, InputError
from ..traces.course import Course, context
from ..traces.trace import input_names, place_of
from .models import Models


def require_answerable(models: Models, rows: Sequence[Mapping[str, Any]], source: str) -> None:
    """Refuses input rows of which a prompt is empty, too long or cannot be rendered.

    Only prompts that see nothing but inputs, and what parsers read in them, are known by now. One
    that depends on sampled values, or a tool's, is found when it is reached, and stops its own
    trace alone.

    Args:
        rows: as `load_inputs` gives them.
        source: where they are from, for messages.

    Raises:
        DataError: there are such rows, all of them.
        InputError: it is not known what server to ask for a model.
    """
    if rows:
        models.require_servers()
    known: dict[Draw, str | None] = {}
    problems = []
    for number, row in enumerate(rows, start=1):
        where = place_of(row, source, number)
        problems += [f"{where}: {problem}" for problem in _problems(models, row, known)]
    if problems:
        raise DataError(problems)


def _problems(models: Models, row: Mapping[str, Any], known: dict[Draw, str | None]) -> list[str]:
    program = models.program
    course = Course(program, {name: row[name] for name in input_names(program)})
    found = []
    for variable in program.variables:
        # A tool is called when its row is sampled: not for rows that are done already.
        if variable.is_given or variable.tool is not None or not _is_settled(variable, course):
            continue
        model = program.model_of(variable.name)
        try:
            if not course.settle(variable) or model is None:
                continue
            prompt = context(variable, course)
            draw = Draw(model, prompt, 0, variable.options, variable.decoding)
        except InputError as error:  # a template
            found.append(str(error))
            continue
        if draw not in known:
            known[draw] = models.refusal(draw)
        if known[draw] is not None:
            found.append(f"{variable.name}: {known[draw]}")
    return found


def _is_settled(variable: Variable, course: Course) -> bool:
    """Whether all that it sees and hangs on follows from the inputs."""
    there = course.inputs.keys() | course.values.keys() | course.nonexistent
    return there.issuperset(variable.parents)
