"""Where a variable exists: what the gates and lists say on which it depends."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..program import Program
from ..templates.names import free_names
from ..templates.parse import Parsed, parse
from ..variable import Gate, Variable

_MOST = 4
"""Conditions of one variable that are spelled out; with more it depends on its parents."""


@dataclass(frozen=True)
class Chosen:
    """A choice came out as one of some options."""

    choice: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Long:
    """A list has at least this many elements."""

    list: str
    count: int


@dataclass(frozen=True)
class Ran:
    """One of these variables exists."""

    names: tuple[str, ...]


Condition = Chosen | Long | Ran


class Conditions:
    """The conditions under which each variable of a program exists: all of its own hold."""

    def __init__(self, program: Program) -> None:
        self._program = program
        gated = (term.variable for term in program.terms if term.gated)
        own = (variable.name for variable in program.variables if variable.gates)
        self._gated = frozenset(gated if program.terms else own)  # own: after an early pass

    @cached_property
    def of(self) -> dict[str, tuple[Condition, ...]]:
        """By variable; nothing for one that always exists."""
        found: dict[str, tuple[Condition, ...]] = {}
        for variable in self._program.variables:
            if variable.name in self._gated:
                found[variable.name] = self._conditions(variable, found)
        return found

    def _conditions(
        self, variable: Variable, found: dict[str, tuple[Condition, ...]]
    ) -> tuple[Condition, ...]:
        own = [*self._chosen(variable), *self._long(variable)]
        # That the turn before did not end the loop says already that this turn was reached.
        said = {c for gate in variable.gates for c in self._said(variable, gate, found)}
        inherited: list[Condition] = []
        for parents in self._seen_together(variable):
            if any(parent not in self._gated for parent in parents):
                continue
            first = found[parents[0]]
            same = all(found[parent] == first for parent in parents)
            inherited += (c for c in first if c not in said) if same else [Ran(parents)]
        every = dict.fromkeys(c for c in (*own, *inherited) if not _is_implied(c, own))
        if len(every) > _MOST:
            gated = [p for p in variable.parents if p in self._gated]
            every = dict.fromkeys([*own, *(Ran((parent,)) for parent in gated[:_MOST])])
        return tuple(every)

    def _said(
        self, variable: Variable, gate: Gate, found: dict[str, tuple[Condition, ...]]
    ) -> tuple[Condition, ...]:
        turn = self._program.variable(gate.choice).turn
        return found.get(gate.choice, ()) if turn is not None and turn != variable.turn else ()

    def _seen_together(self, variable: Variable) -> list[tuple[str, ...]]:
        """The parents; where one of several is enough, those in one tuple."""
        if variable.selects:
            return [variable.parents]
        past = variable.remembered
        by_node = {"": [*past]} if past and variable.remembers_all else {}
        by_node |= {gate.choice: [gate.choice] for gate in variable.gates}
        for parent in variable.parents:
            if parent in past or parent in by_node:
                continue
            by_node.setdefault(self._program.variable(parent).node, []).append(parent)
        return [tuple(names) for names in by_node.values()]

    def _chosen(self, variable: Variable) -> list[Condition]:
        return [
            Chosen(gate.choice, gate.options)
            for gate in variable.gates
            if not set(self._program.variable(gate.choice).options) <= set(gate.options)
        ]

    def _long(self, variable: Variable) -> list[Condition]:
        return [
            Long(element.list, element.index)
            for element in variable.elements.values()
            if element.index > self._program.variable(element.list).fewest
        ]


def _is_implied(condition: Condition, by: Iterable[Condition]) -> bool:
    """Whether a list that is longer than that is among the conditions."""
    return isinstance(condition, Long) and any(
        isinstance(one, Long) and one.list == condition.list and one.count > condition.count
        for one in by
    )


def given(variable: Variable) -> tuple[str, ...]:
    """The parents, without choices that only gate it: the condition says what they are."""
    if not variable.gates:
        return variable.parents
    unread = {gate.choice for gate in variable.gates} - _read(variable)
    return tuple(parent for parent in variable.parents if parent not in unread)


def reads(variable: Variable, name: str) -> bool:
    """Whether a prompt's template, or a tool, has this parent's value."""
    return name in _read(variable)


def _read(variable: Variable) -> set[str]:
    """The variables that its templates, or its tool, name."""
    texts = [variable.prompt] if variable.prompt else []
    names: set[str] = set()
    for part in variable.messages or ():
        texts += part.templates.values()
        names.update(part.sources.values())
    parsed = [parse(text) for text in texts]
    free = {name for one in parsed if isinstance(one, Parsed) for name in free_names(one)}
    names.update(name if name in variable.scope else name.partition(".")[0] for name in free)
    parts = [part for name, part in variable.scope.items() if name in names]
    if variable.tool is not None:
        parts += variable.tool.arguments.values()
    return {name for part in parts for name in ((part,) if isinstance(part, str) else part)}
