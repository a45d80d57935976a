"""Pieces of text that several sections of a printed program share."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby

from ..program import Program, Term
from ..variable import Variable
from .conditions import Chosen, Condition, Conditions, Long, given

_SHOWN = 8


class Words:
    """A program's variables and factors, as text."""

    def __init__(self, program: Program) -> None:
        self._groups = program.groups
        self._owner = {name: node for node, names in program.groups.items() for name in names}
        self._program = program
        self._conditions = Conditions(program).of

    def together(self, names: Sequence[str]) -> list[str]:
        """The names; all copies of a node as `draft[*]`, those of a turn as `draft[*,2]`."""
        shown: list[str] = []
        for node, run in groupby(names, key=lambda name: self._owner.get(name, "")):
            some = tuple(run)
            if not node:
                shown += some
            elif len(some) > 1 and some == self._groups[node]:
                shown.append(f"{node}[*]")
            else:
                shown += self._by_turn(node, some)
        return shown

    def _by_turn(self, node: str, names: Sequence[str]) -> Iterator[str]:
        for turn, run in groupby(names, key=lambda name: self._program.variable(name).turn):
            some = list(run)
            if turn and len(some) > 1 and some == self._copies_of[node, turn.number]:
                yield f"{node}[*,{turn.number}]"
            else:
                yield from some

    @cached_property
    def _copies_of(self) -> dict[tuple[str, int], list[str]]:
        """The copies of each node in each turn of its loop."""
        found: dict[tuple[str, int], list[str]] = {}
        for variable in self._program.variables:
            if variable.turn is not None:
                found.setdefault((variable.node, variable.turn.number), []).append(variable.name)
        return found

    def listed(self, names: Sequence[str]) -> str:
        """The names in one line, cut when they are many."""
        return cut(self.together(names))

    def given(self, variable: str) -> str:
        """The parents, all of them but choices that only gate it."""
        return ", ".join(self.together(given(self._program.variable(variable))))

    def factor(self, term: Term) -> str:
        """`log p_ada(draft | question)`."""
        given = self.given(term.variable)
        event = f"{term.variable} | {given}" if given else term.variable
        return f"log p({event})" if term.model is None else f"log p_{term.model}({event})"

    def gated_factor(self, term: Term) -> str:
        """`[route = math] log p_ada(draft | question)`: nothing where the bracket does not hold."""
        conditions = self.conditions(term.variable)
        return f"[{conditions}] {self.factor(term)}" if conditions else self.factor(term)

    def conditions(self, variable: str) -> str:
        """Where the variable exists; empty for one that always does."""
        return ", ".join(map(self._condition, self._conditions.get(variable, ())))

    def _condition(self, condition: Condition) -> str:
        if isinstance(condition, Chosen):
            return f"{condition.choice} = {' or '.join(condition.options)}"
        if isinstance(condition, Long):
            return f"|{condition.list}| >= {condition.count}"
        some = self.listed(condition.names)
        return f"{some} ran" if len(condition.names) == 1 else f"one of {some} ran"

    def how(self, variable: Variable, model: str | None) -> str:
        """How its value comes about: `parsed by captions from text`."""
        if variable.is_given:
            return "input"
        if variable.last_of is not None:
            return f"{variable.last_of} of the last turn that ran"
        if variable.selects:
            return f"the first of {self.given(variable.name) or 'its parents'} that ran"
        if variable.field is not None:
            return f"the field {variable.field} of {variable.parents[0]}"
        if variable.parser is not None:
            how = f"parsed by {variable.parser}"
            how += f" as one of {cut(variable.options)}" if variable.options else ""
        elif variable.tool is not None:
            how = f"computed by tool {variable.tool.name}"
        elif variable.options:
            how = f"chosen among {cut(variable.options)} by {model or 'a model'}"
        else:
            how = "drawn" if variable.type == "image" else "generated"
        given = self.given(variable.name)
        return f"{how} from {given}" if given else how

    def place(self, variable: Variable) -> list[str]:
        """Which elements and which turn it stands for: `turn 2 of 3 of refine`."""
        parts = [
            f"{key} = element {element.index} of {element.list}"
            for key, element in variable.elements.items()
        ]
        if variable.turn is not None:
            of = f"{self._turns[variable.turn.loop]} of {variable.turn.loop}"
            parts.append(f"turn {variable.turn.number} of {of}")
        return parts

    @cached_property
    def _turns(self) -> dict[str, int]:
        turns = [v.turn for v in self._program.variables if v.turn is not None]
        return {turn.loop: turn.number for turn in sorted(turns, key=lambda turn: turn.number)}


def cut(names: Sequence[str]) -> str:
    """The names in one line, cut when they are many."""
    more = f", ... ({len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def counted(count: int, word: str) -> str:
    """`1 term`, `2 terms`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def total(head: str, parts: Sequence[str]) -> list[str]:
    """`head` and the parts, one a line, with `+` before all but the first."""
    if not parts:
        return [f"{head}0"]
    pad = " " * (len(head) - 2)
    return [head + parts[0], *(f"{pad}+ {part}" for part in parts[1:])]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines with aligned columns."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def indent(lines: Iterable[str]) -> list[str]:
    """Two spaces before every line."""
    return ["  " + line for line in lines]
