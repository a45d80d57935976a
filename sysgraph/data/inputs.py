"""What the system is run on: rows with a value for every input of the graph."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sysgraph_compiler import Program
from sysgraph_schemas.suggest import closest, suggestion

from .. import toys
from ..support.errors import InputError, RunError
from ..traces.messages import messages_text
from ..traces.pictures import Picture
from ..traces.trace import Given, input_names, is_broken
from .columns import as_json
from .images import ImageFiles
from .implicit import with_prompt
from .rows import Row, Source, convert, read_rows
from .shown import BadValue, kind
from .trl import prompt_input


class InputRow(dict[str, Any]):
    """The fields of a row, and where it stands (`questions.jsonl:3`), for messages.

    `problem` says why no system can be run on it.
    """

    def __init__(self, fields: Mapping[str, Any], place: str, problem: str = "") -> None:
        super().__init__(fields)
        self.place, self.problem = place, problem


def load_inputs(program: Program, source: Source) -> list[dict[str, Any]]:
    """One mapping a row: the graph's inputs, and the row's other fields for scorers.

    Args:
        source: `toy:WORLD/SPLIT`, or as `read_rows` takes it. A row is {"question": "...", ...},
            {"inputs": {"question": "..."}, ...}, or, for a graph with one input, {"prompt": ...}
            with a text or messages, or a preference pair whose sides begin with the prompt.

    Raises:
        DataError: rows without a text for every input, all of them.
        InputError: nothing can be read there.
    """
    rows = toy_rows(source) or read_rows(source)
    return convert(rows, lambda row, problems: _fields(program, row, problems))


def input_row(program: Program, row: Row) -> InputRow:
    """What `load_inputs` makes of a row; of one that is wrong what it has, and what is wrong."""
    problems: list[str] = []
    try:
        found = _fields(program, row, problems)
    except (InputError, RunError) as error:  # a template, on the row's values
        problems.append(str(error))
        found = None
    if found is not None and not problems:
        return found
    fields = _lifted(program, row)
    inputs = fields.pop("inputs", None)
    fields = {**fields, **(inputs if isinstance(inputs, dict) else {})}
    wrong = {n for n in input_names(program) if not isinstance(fields.get(n), str | Picture)}
    kept = {key: value for key, value in fields.items() if key not in wrong}
    return InputRow(kept, row.place, "; ".join(problems))


def toy_rows(source: Source) -> list[Row] | None:
    """The rows of `toy:WORLD/SPLIT`; None for any other source.

    Raises:
        InputError: there is no such toy.
    """
    is_toy = isinstance(source, str | Path) and toys.is_toy(str(source))
    return _toy_rows(str(source)) if is_toy else None


def read_inputs(
    program: Program,
    fields: Mapping[str, Any],
    images: ImageFiles,
    where: str,
    problems: list[str],
) -> dict[str, Given]:
    """The value of every input, of messages their JSON; what is wrong goes to `problems`.

    Args:
        images: opens those that inputs are.
        where: what stands before an input's name there.
    """
    readers: dict[str, Callable[[Any], Given]] = {
        "messages": messages_text,
        "image": images.picture,
    }
    out: dict[str, Given] = {}
    for name in input_names(program):
        value, kind_of = fields.get(name), program.variable(name).type
        wanted = _WANTED.get(kind_of, images.wanted)
        if value is not None and kind_of in readers:
            try:
                out[name] = readers[kind_of](value)
            except ValueError as error:
                problems.append(f"{where}{name}: {error}")
        elif isinstance(value, str) and is_broken(value):
            problems.append(f"{where}{name}: {value!r:.60} holds half of a character")
        elif isinstance(value, str):
            out[name] = value
        elif name in fields:
            problems.append(f"{where}{name}: expected {wanted}, got {kind(value)}")
        else:
            near = closest(name, fields)
            has = ", ".join(map(str, fields)) or "nothing"
            hint = f"is {near!r} a misspelling of it?" if near else f"there is {has}"
            problems.append(f"{where}{name}: missing; expected {wanted} ({hint})")
    return out


_WANTED = {"text": "a text", "messages": "messages"}


def row_inputs(
    program: Program, fields: Mapping[str, Any], images: ImageFiles, problems: list[str]
) -> tuple[dict[str, Given], set[str]] | None:
    """A row's inputs and the fields beside `inputs` that they are in; None where it gives none.

    They stand in `inputs`, in TRL's `prompt`, or in fields of the row itself.

    Raises:
        BadValue: what the row gives cannot be the inputs.
    """
    names = input_names(program)
    flat = [name for name in names if fields.get(name) is not None]
    if fields.get("inputs") is not None:
        return _nested(program, fields["inputs"], images, problems), set()
    if fields.get("prompt") is not None and (not flat or names == ("prompt",)):
        return prompt_input(program, fields["prompt"], images), {"prompt"}
    return (read_inputs(program, fields, images, "", problems), set(names)) if flat else None


def _nested(
    program: Program, inputs: Any, images: ImageFiles, problems: list[str]
) -> dict[str, Given]:
    names = input_names(program)
    if not isinstance(inputs, dict):
        wanted = json.dumps(dict.fromkeys(names, "..."))
        raise BadValue(f"inputs: {kind(inputs)}; expected {wanted}")
    missing = [name for name in names if name not in inputs]
    problems += [
        f"inputs.{name}: the graph has no such input; expected {', '.join(names)} (what else a row "
        "holds belongs beside 'inputs')"
        for name in inputs
        if name not in names and closest(name, missing) is None
    ]
    return read_inputs(program, inputs, images, "inputs.", problems)


def _lifted(program: Program, row: Row) -> dict[str, Any]:
    """A row's fields: beside its inputs is also what `inputs` holds besides them."""
    images = {v.name for v in program.variables if v.is_given and v.type == "image"}

    def each(key: str, value: Any) -> Any:
        if key == "inputs" and isinstance(value, Mapping):
            return {str(name): each(str(name), inner) for name, inner in value.items()}
        return value if key in images else as_json(value)

    fields = {key: each(key, value) for key, value in row.fields.items()}
    nested = fields.get("inputs")
    if isinstance(nested, dict):  # here, what else it holds is for scorers too
        names = input_names(program)
        fields |= {key: value for key, value in nested.items() if key not in names}
        fields["inputs"] = {key: value for key, value in nested.items() if key in names}
    return fields


def _fields(program: Program, row: Row, problems: list[str]) -> InputRow | None:
    fields = _lifted(program, row)
    try:
        found = row_inputs(program, with_prompt(program, fields), row.images, problems)
    except BadValue as error:
        problems.append(str(error))
        return None
    inputs, used = found or (read_inputs(program, fields, row.images, "", problems), set[str]())
    rest = {key: value for key, value in fields.items() if key not in used | {"inputs"}}
    return InputRow({**rest, **inputs}, row.place)


def _toy_rows(source: str) -> list[Row]:
    if source not in toys.SOURCES:
        raise InputError(
            f"no toy inputs {source!r}; {suggestion(source, toys.SOURCES, 'there are')}"
        )
    rows = enumerate(toys.inputs(source), start=1)
    return [Row(f"{source}:{number}", row, ImageFiles(Path())) for number, row in rows]
