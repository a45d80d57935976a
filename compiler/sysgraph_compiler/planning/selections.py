"""Observed selections, and the branches that may have their values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..program import Program
from ..variable import Variable

Chain = tuple[Variable, ...]
"""Selections from an observed one to the one that reads a branch."""


@dataclass(frozen=True)
class Selections:
    """The observed selections of a pair.

    Args:
        names: of them, in topological order.
        readers: the selections, observed or not, that may take each branch.
    """

    names: tuple[str, ...]
    readers: Mapping[str, tuple[Variable, ...]]
    _program: Program = field(repr=False, compare=False)

    @classmethod
    def of(cls, program: Program, names: Collection[str]) -> "Selections":
        """The selections `names` and their branches."""
        readers: dict[str, list[Variable]] = {}
        for variable in reversed(program.variables):
            if variable.name in names or (variable.selects and variable.name in readers):
                for branch in variable.reads:
                    if branch not in names:
                        readers.setdefault(branch, []).append(variable)
        ordered = tuple(v.name for v in program.variables if v.name in names)
        return cls(ordered, {name: tuple(several) for name, several in readers.items()}, program)

    @cached_property
    def outcomes(self) -> dict[str, frozenset[str]]:
        """All that a branch can have, for those that cannot have any value."""
        found = {name: _outcomes(self._program, name) for name in self.readers}
        return {name: frozenset(several) for name, several in found.items() if several}

    @cached_property
    def chains(self) -> dict[str, tuple[Chain, ...]]:
        """How each branch may come to be taken, through selections that are not observed too.

        As many as there are ways, unlike the rest.
        """
        found: dict[str, list[Chain]] = {}
        open_: list[Chain] = [(self._program.variable(name),) for name in self.names]
        for chain in open_:
            for name in chain[-1].reads:
                if name not in self.names:
                    found.setdefault(name, []).append(chain)
                    if self._program.variable(name).selects:
                        open_.append((*chain, self._program.variable(name)))
        return {name: tuple(several) for name, several in found.items()}

    def deciding(self, branches: Collection[str]) -> set[str]:
        """The selections by way of which one of `branches` may be taken."""
        found: set[str] = set()
        reached = list(branches)
        for name in reached:
            above = {v.name for v in self.readers.get(name, ())} - found
            found |= above
            reached += above
        return found


def _outcomes(program: Program, name: str) -> tuple[str, ...] | None:
    """All that a variable can have; None, where that is any text."""
    model = program.model_of(name)
    return program.variable(name).options or (program.models[model].outcomes if model else None)
