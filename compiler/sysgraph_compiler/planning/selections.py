"""Observed selections, and the branches that may have their values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..program import Program, Variable

Chain = tuple[Variable, ...]
"""Selections from an observed one to the one that reads a branch."""


@dataclass(frozen=True)
class Selections:
    """The observed selections of a pair.

    Args:
        names: of them, in topological order.
        chains: how each branch may come to be taken, through selections that are not observed too.
        outcomes: all that a branch can have, for those that cannot have any value.
    """

    names: tuple[str, ...]
    chains: Mapping[str, tuple[Chain, ...]]
    outcomes: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, program: Program, names: Collection[str]) -> "Selections":
        """The selections `names` and their branches."""
        ordered = tuple(v.name for v in program.variables if v.name in names)
        chains: dict[str, list[Chain]] = {}
        open_: list[Chain] = [(program.variable(name),) for name in ordered]
        for chain in open_:
            for name in chain[-1].reads:
                if name not in names:
                    chains.setdefault(name, []).append(chain)
                    if program.variable(name).selects:
                        open_.append((*chain, program.variable(name)))
        return cls(
            ordered,
            {name: tuple(several) for name, several in chains.items()},
            {name: frozenset(found) for name in chains if (found := _outcomes(program, name))},
        )


def _outcomes(program: Program, name: str) -> tuple[str, ...] | None:
    """All that a variable can have; None, where that is any text."""
    model = program.model_of(name)
    return program.variable(name).options or (program.models[model].outcomes if model else None)
