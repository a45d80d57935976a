"""A trace: one assignment of values to a program's variables, complete or with gaps."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeGuard, Union

from sysgraph_compiler import Program
from sysgraph_compiler.expansion import ROUND
from sysgraph_schemas.visible import half_character

from .record import Record

if TYPE_CHECKING:  # it imports torch, and the command line imports this module at once
    from .pictures import Picture


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model wrote.

    `ids` are the tokens as sampled, with the end-of-sequence token unless the length limit cut the
    text; None for text that came without them.
    """

    text: str
    ids: tuple[int, ...] | None = None


Value = Union[str, tuple[str, ...], Record, Completion, "Picture"]
Given = Union[str, "Picture"]
"""The value of an input: of messages, their JSON text."""


@dataclass(frozen=True)
class Trace:
    """Values by variable name (`draft[ada]`).

    A variable is in `values`, or in `nonexistent` (it never came to be, and has no term), or in
    neither: then it was not observed. Of the nonexistent ones, those in `rejected` hang on a parser
    or a tool that failed; the others were skipped: a choice came out otherwise, or a list was
    shorter. Of the rejected ones, those in `abstained` hang on none but such as abstain
    (`on_failure: abstain`): an outcome that a scorer judges. `outputs` names the final ones;
    `extra` holds the input row's other fields, for scorers. A text may be a plain str.

    `stopped` says why sampling could not go on (a prompt that its model cannot take); such a trace
    has failed, and is no side of a preference. `failures` says why the tools among the rejected
    have no value: they are not called again. `place` is where its inputs stand, for messages.
    """

    inputs: Mapping[str, Given]
    values: Mapping[str, Value]
    outputs: tuple[str, ...] = ()
    nonexistent: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()
    abstained: frozenset[str] = frozenset()
    stopped: str | None = None
    failures: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    place: str = field(default="", compare=False, repr=False)

    @property
    def failed(self) -> bool:
        """Whether it is unusable: a rejection reached an output, none came, or it was stopped.

        An output that abstained did not fail.
        """
        if self.stopped is not None:
            return True
        if not self.outputs:
            return False
        unusable = self.rejected - self.abstained
        return not unusable.isdisjoint(self.outputs) or (
            self.nonexistent.issuperset(self.outputs) and not self.abstains
        )

    @property
    def abstains(self) -> bool:
        """Whether an output is absent because a parser or a tool abstained."""
        return not self.abstained.isdisjoint(self.outputs)

    def __getitem__(self, variable: str) -> str | tuple[str, ...]:
        """The value of a variable or input, as plain text or texts; of a picture, its name.

        A record is its JSON; its fields are in `values[variable]`.
        """
        value = plain(self.inputs[variable] if variable in self.inputs else self.values[variable])
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
        return value if isinstance(value, str) else tuple(value)

    def _repr_html_(self) -> str:
        """What a notebook shows: every value, and what never came to be."""
        rows = [(name, _cell(v)) for name, v in (*self.inputs.items(), *self.values.items())]
        rows += [(name, "(never came to be)") for name in sorted(self.nonexistent)]
        cells = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left;white-space:pre-wrap">{cell}</td></tr>'
            for name, cell in rows
        )
        stopped = f"<p>stopped: {escape(self.stopped)}</p>" if self.stopped else ""
        return f"<table>{cells}</table>{stopped}"

    def output(self) -> str:
        """The final outputs as one text, for scorers of systems that answer once."""
        parts = [self[name] for name in self.outputs if name in self.values]
        return "\n".join(part if isinstance(part, str) else "\n".join(part) for part in parts)


def plain(value: Value) -> str | list[str] | dict[str, str | list[str]]:
    """A value as templates and messages have it: a text, texts, or a record; a picture's name."""
    if isinstance(value, Completion):
        return value.text
    if isinstance(value, Record):
        return value.plain()
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, str) else value.name


def is_picture(value: object) -> "TypeGuard[Picture]":
    """Whether a value is an image; torch is not loaded to find out."""
    return not isinstance(value, str | tuple | Record | Completion | None)


def _cell(value: Value) -> str:
    """A value as HTML."""
    if is_picture(value):
        data = b64encode(value.png()).decode()
        return f'<img alt="{escape(value.name)}" src="data:image/png;base64,{data}">'
    text = plain(value)
    return escape("\n".join(map(str, text)) if isinstance(text, list) else str(text))


Plain = str | list[str] | dict[str, str | list[str]] | list["Plain"] | None


def by_node(
    program: Program, trace: Trace, picture: Callable[["Picture"], str] = attrgetter("name")
) -> dict[str, Plain]:
    """The generated values as a preference file writes them: groups as lists, absent as null.

    The copies for the elements of a list end where the list does.

    Args:
        picture: gives the text that stands for an image.
    """
    values: dict[str, Plain] = {
        name: picture(value) if is_picture(value) else plain(value)
        for name, value in trace.values.items()
    }
    out: dict[str, Plain] = {}
    elements = element_nodes(program)
    for node, variables in generated_nodes(program).items():
        is_field = program.variable(variables[0]).field is not None
        if is_field and not {*variables} & {*program.outputs}:
            continue  # its record says it
        if node not in program.groups:
            out[node] = values.get(variables[0])
            continue
        items = [values.get(v) for v in variables]
        while node in elements and items and items[-1] is None:
            items.pop()
        out[node] = items
    return out


def ids_by_node(program: Program, trace: Trace) -> dict[str, list[list[int] | None]]:
    """The token ids of each generated text, by node, one entry per copy."""
    out: dict[str, list[list[int] | None]] = {}
    for node, variables in generated_nodes(program).items():
        values = [trace.values.get(v) for v in variables]
        ids = [list(v.ids) if isinstance(v, Completion) and v.ids else None for v in values]
        if any(ids):
            out[node] = ids
    return out


def input_names(program: Program) -> tuple[str, ...]:
    """The graph's inputs, in order."""
    return tuple(variable.name for variable in program.variables if variable.is_given)


def element_nodes(program: Program) -> frozenset[str]:
    """The nodes whose last copies may be missing, as a list is shorter or a loop ended before.

    Of those the copies are for one list's elements, or for the turns of a loop, and nothing else.
    """
    return frozenset(
        variable.node
        for variable in program.variables
        if (
            variable.elements.keys() | variable.bindings.keys() <= {ROUND, variable.turn.element}
            if variable.turn is not None and variable.turn.is_open
            else len(variable.elements) == 1 and not variable.bindings
        )
    )


def generated_nodes(program: Program) -> dict[str, tuple[str, ...]]:
    """The graph's nodes that are no inputs, in order, each with its variables."""
    nodes: dict[str, tuple[str, ...]] = {}
    for variable in program.variables:
        if not variable.is_given:
            nodes[variable.node] = (*nodes.get(variable.node, ()), variable.name)
    return nodes


def is_broken(text: str) -> bool:
    """Whether it holds half of a character, which no tokenizer and no file takes."""
    return half_character(text) is not None


def place_of(row: Mapping[str, Any], source: str, number: int) -> str:
    """Where a row stands: as its file counts, or the `number`-th of those that were given."""
    place = getattr(row, "place", None)
    return place if isinstance(place, str) else f"{source}: row {number}"
