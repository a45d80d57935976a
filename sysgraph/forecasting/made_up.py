"""Values that a system could give, as long as they get: for pairs that are not there yet."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sysgraph_compiler import Program, Variable

from ..engines import Draw
from ..support.seeding import derive
from ..system import System
from ..traces.course import complete, context
from ..traces.pair import Pair
from ..traces.record import Record
from ..traces.trace import Completion, Trace, Value, plain

_WORD = "word "
_WORDS = 64
"""Of a text that nothing limits: an input's, a tool's."""


class MadeUp:
    """Traces of a system that nobody sampled.

    A model's text is as long as it may be, and what a parser reads in it is all of it. Gates come
    out one way and another: trace after trace takes the next option.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._program: Program = system.program
        self._items: dict[str, int] = {}
        """How many elements of each list something stands for."""
        for variable in self._program.variables:
            for element in variable.elements.values():
                self._items[element.list] = max(self._items.get(element.list, 1), element.index)

    def pair(self, row: Mapping[str, Any], number: int) -> Pair:
        """Two traces of the same inputs, different in every value."""
        start = self.start(row)
        sides = (self.filled(start, 2 * number), self.filled(start, 2 * number + 1))
        return Pair(*sides, "made up")

    def start(self, row: Mapping[str, Any]) -> Trace:
        """A trace of inputs alone: a row's, and some text where it has none."""
        given = (v.name for v in self._program.variables if v.is_given)
        return self._system.start({name: row.get(name, _WORD * _WORDS) for name in given})

    def filled(self, trace: Trace, number: int) -> Trace:
        """A trace with a value for everything that it lacks and that can come to be.

        Args:
            number: tells the values from those of other traces.
        """
        values = dict(trace.values)
        known = replace(trace, values=values, nonexistent=frozenset())
        for variable in self._program.variables:
            if not variable.is_given and variable.name not in values:
                values[variable.name] = self._value(variable, known, number)
        return complete(self._program, replace(trace, values=values))

    def _value(self, variable: Variable, known: Trace, number: int) -> Value:
        if variable.options:
            option = variable.options[number % len(variable.options)]
            is_computed = variable.name in self._program.deterministic
            return option if is_computed else Completion(option)
        model = self._program.model_of(variable.name)
        if model is not None:
            seed = derive(number, variable.name)
            draw = Draw(model, context(variable, known), seed, decoding=variable.decoding)
            return self._system.made_up(draw)
        return self._computed(variable, known)

    def _computed(self, variable: Variable, known: Trace) -> Value:
        """Of a parser, a tool or a selection: what the texts before it hold, all of it."""
        there = {**known.inputs, **known.values}
        read: list[Value] = [there[name] for name in variable.reads if name in there]
        if variable.selects or variable.last_of is not None:
            first = read[0]
            return first.text if isinstance(first, Completion) else first
        if variable.field is not None and isinstance(read[0], Record):
            return read[0][variable.field]
        text = " ".join(str(plain(value)) for value in read) if read else _WORD * _WORDS
        if variable.type == "list[text]":
            return _pieces(text, max(variable.fewest, self._items.get(variable.name, 1)))
        return Record(self._record(variable, text)) if variable.type == "record" else text

    def _record(self, variable: Variable, text: str) -> dict[str, str | tuple[str, ...]]:
        if variable.tool is not None:
            fields = variable.tool.fields
        else:
            assert variable.parser is not None
            fields = dict(self._program.parsers[variable.parser].parts)
        found: dict[str, str | tuple[str, ...]] = {}
        for (name, field), piece in zip(fields.items(), _pieces(text, len(fields)), strict=True):
            found[name] = field.choices[0] if field.choices else piece
            if field.type == "list":
                of_field = [v.name for v in self._program.variables if v.field == name]
                items = max((self._items.get(one, 1) for one in of_field), default=1)
                found[name] = _pieces(piece, max(field.fewest, items))
        return found


def _pieces(text: str, count: int) -> tuple[str, ...]:
    """A text cut into so many, none of them empty."""
    size = max(1, len(text) // max(count, 1))
    return tuple(text[i * size : (i + 1) * size] or "." for i in range(count))
