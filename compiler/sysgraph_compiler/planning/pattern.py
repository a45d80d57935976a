"""Which values of a pair are there, and which are missing."""

from collections.abc import Set
from dataclasses import dataclass

from ..program import Program
from .selections import Selections


@dataclass(frozen=True)
class Seen:
    """What is known of one side of a pair, by name.

    Args:
        values: variables that have a value; inputs, which always have one, need not be named.
        never: variables that did not come to be.
    """

    values: frozenset[str]
    never: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Pattern:
    """What data says of a pair. Pairs of one pattern lack the same.

    Args:
        sides: chosen and rejected, with what follows from what data holds.
        named: the nodes and variables whose values are used (`fit.observed`); None: all.
    """

    sides: tuple[Seen, Seen]
    named: frozenset[str] | None = None

    def names(self, program: Program, name: str) -> bool:
        """Whether `named` has a variable, or its node."""
        named = self.named or frozenset()
        return name in named or program.variable(name).node in named


@dataclass(frozen=True)
class Given:
    """What is known of a pair whatever its missing values are.

    Args:
        settled: variables that are missing, but for which both sides have the value of an observed
            selection, or did not come to be.
        sides: what follows from no missing value.
    """

    settled: frozenset[str]
    sides: tuple[Seen, Seen]


@dataclass(frozen=True)
class Lack:
    """What a pair's two sides lack together.

    Args:
        missing: variables with a likelihood that exist, or may, and whose value is not used.
        selections: the selections whose value data holds.
        fixed: those of them that have a value on both sides.
        hangs: what a missing value enters: the missing ones, what is computed from them, and the
            variables whose prompt sees, or whose existence hangs on, one of these.
    """

    missing: frozenset[str]
    selections: Selections
    fixed: frozenset[str]
    hangs: frozenset[str]


def lack(program: Program, pattern: Pattern, settled: frozenset[str] = frozenset()) -> Lack:
    """What a pair lacks, but for what is `settled`."""
    key = (pattern, settled)
    found = program.lacks.get(key)
    if found is None:
        found = program.lacks[key] = _lack(program, pattern, settled)
    return found


def _lack(program: Program, pattern: Pattern, settled: frozenset[str]) -> Lack:
    missing = _missing(program, pattern) - settled
    held = _held(program, pattern)
    fixed = frozenset(name for name in held if all(name in s.values for s in pattern.sides))
    hangs = entered(program, missing, fixed)
    return Lack(missing, Selections.of(program, held), fixed, hangs)


def _missing(program: Program, pattern: Pattern) -> frozenset[str]:
    return frozenset(
        name
        for name in program.likely
        if any(name not in s.values and name not in s.never for s in pattern.sides)
        or (pattern.named is not None and not pattern.names(program, name))
    )


def _held(program: Program, pattern: Pattern) -> frozenset[str]:
    """The selections whose value data holds on both sides, or which came to nothing on one.

    If that is on either side for different ones, none could be drawn under: only the others.
    """
    whole: set[str] = set()
    single: dict[int, set[str]] = {0: set(), 1: set()}
    for variable in program.variables:
        name, sides = variable.name, pattern.sides
        there = [side for side in (0, 1) if name in sides[side].values]
        if not variable.selects or not any(
            is_held(program, pattern, sides[side], name) for side in there
        ):
            continue
        if len(there) == 2:
            whole.add(name)
        elif name in sides[1 - there[0]].never:
            single[there[0]].add(name)
    return frozenset(whole | (set() if single[0] and single[1] else single[0] | single[1]))


def is_held(program: Program, pattern: Pattern, side: Seen, name: str) -> bool:
    """Whether data holds a computed value: named, an output, or not computed from what it holds.

    What was only read from a latent text that data happens to hold is no more observed than that.
    """
    if is_named(program, pattern, name):
        return True
    return not all(
        parent in side.values or parent in side.never or program.variable(parent).is_given
        for parent in program.variable(name).parents
    )


def is_named(program: Program, pattern: Pattern, name: str) -> bool:
    """Whether `named` or the outputs have a variable."""
    outputs = {name, program.variable(name).node} & {*program.outputs}
    return bool(outputs) or pattern.names(program, name)


def entered(program: Program, unknown: Set[str], fixed: Set[str]) -> frozenset[str]:
    """Variables whose value or term one of `unknown` enters, itself included.

    Args:
        fixed: selections that have a value whatever the unknown ones are.
    """
    found, unknown = set(unknown), set(unknown)
    for variable in program.variables:
        if variable.name not in fixed and not unknown.isdisjoint(variable.parents):
            found.add(variable.name)
            if variable.name in program.deterministic:
                unknown.add(variable.name)
    return frozenset(found)
