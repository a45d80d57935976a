"""Which variables of a trace come to be: gates, lists of elements, and parents that are there."""

from collections.abc import Container, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Literal, Protocol

from sysgraph_compiler import Variable
from sysgraph_compiler.variable import Element, Gate

from .trace import Given, Value, plain

Absence = Literal["rejected", "abstained", "skipped"]


_PRECEDENCE: tuple[Absence, ...] = ("skipped", "rejected", "abstained")


class Known(Protocol):
    """What is known of a trace so far."""

    @property
    def inputs(self) -> Mapping[str, Given]:
        """Given values."""
        ...

    @property
    def values(self) -> Mapping[str, Value]:
        """Generated values."""
        ...

    @property
    def nonexistent(self) -> Container[str]:
        """What never came to be."""
        ...

    @property
    def rejected(self) -> Container[str]:
        """The part of it that hangs on a parser or a tool that failed."""
        ...

    @property
    def abstained(self) -> Container[str]:
        """The part of that which hangs on none but such as abstain."""
        ...

    @property
    def failures(self) -> Mapping[str, str]:
        """Why tools had no value, as a file says it."""
        ...


def absence(variable: Variable, known: Known) -> Absence | None:
    """Why `variable` cannot come to be; None: it can, as far as its parents are known.

    Of a group of parents (the copies of a node) one is enough, but a rejected one rejects what
    reads the group; so does one that abstained, if none was rejected. Of all that a selection reads
    one is enough, whatever became of the others. What was never going to run is skipped, whatever
    failed beside it.
    """
    if _is_off(variable, known):
        return "skipped"
    if variable.last_of is not None:
        return _of_last(variable.parents, known)
    past = variable.remembered
    groups = _groups(variable, past)
    if variable.selects:
        candidates = variable.reads
        groups = _groups(variable, candidates)
        if all(parent in known.nonexistent for parent in candidates):
            groups = (*groups, candidates)
    found = [_of_group(group, known) for group in groups]
    if past:
        of_past = _of_group(past, known)
        found += [of_past] if of_past != "skipped" or variable.remembers_all else []
    return next((why for why in _PRECEDENCE if why in found), None)


def _groups(variable: Variable, beside: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The parents without those `beside`, by node; each choice of a gate for itself."""
    gates = tuple(gate.choice for gate in variable.gates)
    if not beside and not gates:
        return by_node(variable.parents)
    rest = tuple(p for p in variable.parents if p not in beside and p not in gates)
    return (*by_node(rest), *((choice,) for choice in gates))


def _of_last(turns: tuple[str, ...], known: Known) -> Absence | None:
    """Of turns from the last to the first: the last one that ran says what became of it."""
    ran = next((p for p in turns if p not in known.nonexistent or p in known.rejected), None)
    return _of_group(turns[-1:] if ran is None else (ran,), known)


def _of_group(group: tuple[str, ...], known: Known) -> Absence | None:
    failed = [parent for parent in group if parent in known.rejected]
    if failed:
        return "abstained" if all(parent in known.abstained for parent in failed) else "rejected"
    return "skipped" if all(parent in known.nonexistent for parent in group) else None


def _is_off(variable: Variable, known: Known) -> bool:
    """Whether a choice came out otherwise, or a list has no such element."""
    return any(_is_closed(gate, known) for gate in variable.gates) or any(
        _is_beyond(element, known) for element in variable.elements.values()
    )


def _is_closed(gate: Gate, known: Known) -> bool:
    chosen = known.values.get(gate.choice)
    return chosen is not None and plain(chosen) not in gate.options


def _is_beyond(element: Element, known: Known) -> bool:
    items = known.values.get(element.list)
    return items is not None and element.index > len(plain(items))


def why_skipped(variable: Variable, known: Known) -> str:
    """Why a skipped variable did not run, for people."""
    for gate in variable.gates:
        if _is_closed(gate, known):
            chosen, options = plain(known.values[gate.choice]), " or ".join(gate.options)
            return f"{gate.choice} is {chosen}, and it runs where that is {options}"
    for element in variable.elements.values():
        if _is_beyond(element, known):
            return f"{element.list} has {len(plain(known.values[element.list]))} of them"
    turn = variable.turn
    if (
        turn is not None
        and turn.is_open
        and any(g.choice in known.nonexistent for g in variable.gates)
    ):
        return f"{turn.loop} ended before turn {turn.number}"
    return "nothing ran that it could read"


@lru_cache(maxsize=1 << 16)
def by_node(variables: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Parents by the node that they are copies of: what a reader sees under one name."""
    return tuple(
        tuple(several) for _, several in groupby(variables, lambda name: name.partition("[")[0])
    )
