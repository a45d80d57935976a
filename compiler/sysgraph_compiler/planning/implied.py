"""The plan of what a user says that data holds, before there is any data."""

from ..program import Program
from .pattern import Given, Pattern, Seen, entered, lack
from .plan import Plan, plan


def implied(program: Program, named: frozenset[str] | None) -> Plan:
    """The plan of pairs whose sides hold what is named, and in which everything came to be.

    Args:
        named: nodes and variables whose values data holds; None: all.
    """
    sure = Seen(_observed(program, Pattern((Seen(frozenset()),) * 2, named)))
    pattern = Pattern((sure, sure), named)
    first = plan(program, pattern, _given(program, pattern, frozenset()))
    return plan(program, pattern, _given(program, pattern, _settled(program, pattern, first)))


def _observed(program: Program, pattern: Pattern) -> frozenset[str]:
    """What data holds, and what follows from that."""
    found: set[str] = {v.name for v in program.variables if v.is_given}
    inputs = frozenset(found)
    for variable in program.variables:
        name = variable.name
        held = pattern.named is None or pattern.names(program, name)
        if name in program.deterministic and not (variable.selects and held):
            held = found.issuperset(variable.parents)
        if held:
            found.add(name)
    return frozenset(found) - inputs


def _given(program: Program, pattern: Pattern, settled: frozenset[str]) -> Given:
    hangs = lack(program, pattern, settled).hangs & program.deterministic
    sure = Seen((pattern.sides[0].values | settled) - hangs)
    return Given(settled, (sure, sure))


def _settled(program: Program, pattern: Pattern, first: Plan) -> frozenset[str]:
    """The branches of observed selections of which nothing latent decides whether they are taken.

    Where something does, all branches of the selection stand inside the sum.
    """
    inside = entered(program, {*first.latent}, lack(program, pattern).fixed)
    unknown = {*first.latent, *(inside & program.deterministic)}
    # A selection has its value whatever is latent; whether it came to be may hang on that.
    inside |= {v.name for v in program.variables if not unknown.isdisjoint(v.parents)}
    doubtful: set[str] = set()
    observed = {*first.observed}
    for variable in reversed(program.variables):
        is_held = variable.name in observed or variable.name in doubtful
        if variable.selects and is_held and not inside.isdisjoint(variable.reads):
            doubtful.update(variable.reads)
    return first.branches - doubtful - {*first.latent}
