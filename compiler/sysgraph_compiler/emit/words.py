"""Pieces of text that several sections of a printed program share."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from ..program import Program, Term

_SHOWN = 8


class Words:
    """A program's variables and factors, as text."""

    def __init__(self, program: Program) -> None:
        self._groups = program.groups
        self._owner = {name: node for node, names in program.groups.items() for name in names}
        self._parents = {variable.name: variable.parents for variable in program.variables}

    def together(self, names: Sequence[str]) -> list[str]:
        """The names; a whole group, in order, stands as `draft[*]`."""
        shown: list[str] = []
        for node, run in groupby(names, key=lambda name: self._owner.get(name, "")):
            some = tuple(run)
            whole = bool(node) and len(some) > 1 and some == self._groups[node]
            shown += [f"{node}[*]"] if whole else some
        return shown

    def listed(self, names: Sequence[str]) -> str:
        """The names in one line, cut when they are many."""
        shown = self.together(names)
        more = f", ... ({len(shown) - _SHOWN} more)" if len(shown) > _SHOWN else ""
        return ", ".join(shown[:_SHOWN]) + more

    def given(self, variable: str) -> str:
        """The parents, all of them."""
        return ", ".join(self.together(self._parents[variable]))

    def factor(self, term: Term) -> str:
        """`log p_ada(draft | question)`."""
        given = self.given(term.variable)
        event = f"{term.variable} | {given}" if given else term.variable
        return f"log p({event})" if term.model is None else f"log p_{term.model}({event})"


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
