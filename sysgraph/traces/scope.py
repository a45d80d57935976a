"""What the names in a prompt stand for: values of a trace, what its copy and turn are called."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sysgraph_compiler import Variable
from sysgraph_compiler.expansion import NUMBER, ROUND, ROUNDS
from sysgraph_compiler.templates.kinds import COPY, Record, labelled_value
from sysgraph_compiler.variable import Label, Past

from ..support.errors import InputError
from .presence import Known
from .prompt import mark
from .trace import is_picture, plain

if TYPE_CHECKING:  # it imports torch
    from .pictures import Picture


class Unobserved(InputError):
    """A variable's value, or one that its prompt needs, was not observed."""


def scope_of(variable: Variable, known: Known) -> dict[str, object]:
    """The values of the names in a variable's prompt. Of a group, the members that exist.

    Raises:
        Unobserved: a parent's value is missing.
    """
    scope: dict[str, object] = {**dict.fromkeys(variable.empty, ""), **variable.bindings}
    scope |= {COPY: _place(variable)}
    if variable.turn is not None:
        over = variable.turn.over
        scope[ROUNDS] = variable.turn.rounds if over is None else len(_seen(known, over))
    if variable.number is not None:
        scope[NUMBER] = variable.number
    for name, target in variable.scope.items():
        scope[name] = _part(variable, known, target)
    for key, element in variable.elements.items():
        scope[key] = _seen(known, element.list)[element.index - 1]
    for loop, past in variable.history.items():
        turns = (turn for turn in past if not all(v in known.nonexistent for v in turn.variables))
        scope[loop] = [_turn(variable, known, turn) for turn in turns]
    return scope


def _place(variable: Variable) -> dict[str, Any]:
    """The copy's own `for_each` values; of elements, their indices."""
    own = {key: item for key, item in variable.bindings.items() if key != ROUND}
    return {**own, **{key: element.index for key, element in variable.elements.items()}}


def _part(variable: Variable, known: Known, target: str | tuple[str, ...]) -> object:
    if isinstance(target, str):
        return _seen(known, target)
    there = (name for name in target if name not in known.nonexistent)
    return [_item(variable.labels.get(name), known, name) for name in there]


def _item(label: Label | None, known: Known, name: str) -> object:
    """An item of a group, with what the prompt may ask of it."""
    value = _seen(known, name)
    if label is None:
        return value
    lists: Mapping[str, str] = label.lists
    fields: dict[str, Any] = {NUMBER: label.number}
    for key, item in label.place.items():
        fields[key] = _seen(known, lists[key])[int(item) - 1] if key in lists else item
    return labelled_value(value, fields, label.place)


def _turn(variable: Variable, known: Known, turn: Past) -> Record:
    """A turn of a loop's history. What did not run in it is the empty text, or an empty list."""
    values: dict[str, object] = {ROUND: turn.round}
    for node, target in turn.values.items():
        absent = isinstance(target, str) and target in known.nonexistent
        nothing: object = [] if node in turn.lists else ""
        values[node] = nothing if absent else _part(variable, known, target)
    return Record(values)


def pictures_in(variable: Variable, known: Known) -> "dict[str, Picture]":
    """The images that a variable's prompt may have in it, by what stands for them in its scope."""
    values = (known.inputs.get(name) or known.values.get(name) for name in variable.parents)
    return {mark(value): value for value in values if is_picture(value)}


def _seen(known: Known, variable: str) -> Any:
    """A variable's value as templates see it; of an image, its mark."""
    if variable not in known.inputs and variable not in known.values:
        raise Unobserved(variable)
    inputs, values = known.inputs, known.values
    value = inputs[variable] if variable in inputs else values[variable]
    return mark(value) if is_picture(value) else plain(value)
