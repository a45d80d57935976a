"""What a sum over values that data lacks has to go over.

A selection whose value data holds says what the branch that it took has: that one is not drawn, and
neither are those that it did not take, unless something else reads them.
"""

from collections.abc import Set
from dataclasses import dataclass

from ..program import Program


@dataclass(frozen=True)
class Unknowns:
    """Variables on which something known depends, whether or not data holds them.

    Args:
        needed: those whose value is needed for a prompt or a computation.
        branches: those that a held selection may take, through selections that are not held too.
    """

    needed: frozenset[str]
    branches: frozenset[str]


def unknowns(program: Program, known: Set[str], held: Set[str]) -> Unknowns:
    """What the variables `known` depend on.

    Args:
        held: the selections among them that say what their branches have.
    """
    needed: set[str] = set()
    branches: set[str] = set()
    for variable in reversed(program.variables):
        name = variable.name
        is_branch = name in branches and name not in known
        is_needed = name in needed and name not in held
        if not (is_branch or is_needed or name in known):
            continue
        taken: tuple[str, ...] = ()
        if variable.selects and (is_branch or name in held):
            taken = variable.reads
            branches.update(taken)
        needed.update(p for p in variable.parents if is_needed or p not in taken)
    return Unknowns(frozenset(needed), frozenset(branches))
