"""What a pair needs (arXiv 2502.17721, section 2.3): what is drawn, summed over, scored, and when.

Of a pair, the values missing on either side, or not among `fit.observed`, are latent on both. A
latent value on which nothing observed depends is none: its factor sums to 1. Nor is the branch that
an observed selection took: it has the selection's value.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from ..program import Cadence, Call, Draws, Program, Term
from .calls import calls
from .pattern import Given, Lack, Pattern, Seen, entered, is_held, is_named, lack
from .selections import Selections
from .unknowns import unknowns


@dataclass(frozen=True)
class SidePlan:
    """What one side of a pair says, by name.

    Args:
        present: variables that are observed and depend on latent ones: each has to exist.
        read: deterministic variables whose values data holds and latent ones decide.
        absent: variables that did not exist, though a latent value may let them.
        never: variables that do not exist whatever the latent values are.
    """

    present: frozenset[str]
    read: frozenset[str]
    absent: frozenset[str]
    never: frozenset[str]


@dataclass(frozen=True)
class Plan:
    """What all pairs of one pattern need.

    Args:
        observed: variables whose value data holds, or that follow from those: of the branches of an
            observed selection, the one that it took has its value.
        latent: the variables to draw, in topological order.
        layers: the same by how many layers of the program come before: those of one can be drawn in
            one call.
        draws: when they are drawn: once, if no step changes what draws them.
        decisive: what the latent values are drawn from, and what decides whether a branch is drawn:
            sides that agree on it share their draws.
        selections: the observed selections.
        branches: variables that have the value of an observed selection where it takes them. Those
            of them that are not latent too have no term elsewhere: nothing else reads them.
        summed: what a latent value enters: latent variables, branches, those whose prompt sees one,
            and what is computed from one. Their terms stand inside the sum.
        ignored: variables that nothing observed depends on; they have no term.
        inside: the terms inside the sum, in the order of the program.
        outside: the terms beside it.
        compared: those of the latter whose log p/p_ref counts: a frozen one's is 0.
        cancelling: the trained terms that drop out of the loss where both sides have the same value
            and prompt.
        anchored: the trained terms whose own likelihood counts on the chosen side all the same.
        trains: whether a term inside trains. If none does, the sum is one and the same under policy
            and reference, and the objective leaves it out.
        policy: when log p of each term is computed, `once` for a set of pairs; of those alone that
            the objective does not leave out whatever the values are.
        reference: when log p_ref of the same is; a frozen model is its own reference.
        calls: which of them go together, first for log p, then for log p_ref.
        sides: chosen and rejected.
    """

    observed: tuple[str, ...]
    latent: tuple[str, ...]
    layers: Mapping[int, tuple[str, ...]]
    draws: Draws
    decisive: frozenset[str]
    selections: Selections
    branches: frozenset[str]
    summed: frozenset[str]
    ignored: frozenset[str]
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    compared: frozenset[str]
    cancelling: frozenset[str]
    anchored: frozenset[str]
    trains: bool
    policy: Mapping[str, Cadence]
    reference: Mapping[str, Cadence]
    calls: tuple[Call, ...]
    sides: tuple[SidePlan, SidePlan]


def plan(program: Program, pattern: Pattern, given: Given) -> Plan:
    """The plan of a pattern; the same object for equal ones."""
    key = (pattern, given)
    found = program.plans.get(key)
    if found is None:
        found = program.plans[key] = _plan(program, pattern, given)
    return found


def _plan(program: Program, pattern: Pattern, given: Given) -> Plan:
    lacks = lack(program, pattern, given.settled)
    missing, held = lacks.missing, {*lacks.selections.names}
    sides = (_side(program, pattern, given, lacks, 0), _side(program, pattern, given, lacks, 1))
    known = {v for s in sides for v in (*s.present, *s.read, *s.absent)}
    known = known.union(*(side.values for side in given.sides)) - missing
    found = unknowns(program, known, known & held)
    latent = tuple(v for v in program.likely if v in missing and v in found.needed)
    branches = missing & found.branches
    summed = entered(program, {*latent, *branches}, lacks.fixed)
    ignored = missing - found.needed - branches
    scored = [v for v in program.likely if v not in ignored]
    inside = tuple(v for v in scored if v in summed)
    trains = any(program.term(v).status == "trained" for v in inside)
    counted = [t for t in map(program.term, scored) if _counts(t, t.variable in summed, trains)]
    observed = known | (lacks.selections.readers.keys() - latent)
    outside = tuple(v for v in scored if v not in summed)
    trained = frozenset(v for v in scored if program.term(v).status == "trained")
    reference = {t.variable: _reference(program, t) for t in counted}
    return Plan(
        observed=tuple(t.variable for t in program.terms if t.variable in observed),
        latent=latent,
        layers=_layers(program, latent),
        draws=_draws(program, latent),
        decisive=_decisive(program, latent, branches, lacks.selections),
        selections=lacks.selections,
        branches=branches,
        summed=summed,
        ignored=ignored,
        inside=inside,
        outside=outside,
        compared=trained.intersection(outside),
        cancelling=trained if program.fit.cancels else frozenset(),
        anchored=_anchored(program, trained),
        trains=trains,
        policy={t.variable: "every step" if t.status == "trained" else "once" for t in counted},
        reference=reference,
        calls=_calls(program, reference),
        sides=sides,
    )


def _side(program: Program, pattern: Pattern, given: Given, lacks: Lack, number: int) -> SidePlan:
    data, known = pattern.sides[number], given.sides[number]
    values = data.values | (known.values & given.settled)
    computed, held = lacks.hangs & program.deterministic, {*lacks.selections.names}
    seen = Seen(values, data.never)
    observed = (lacks.hangs & {*program.likely}) - lacks.missing
    named = {name for name in computed if is_named(program, pattern, name)}
    return SidePlan(
        present=observed & values,
        read=frozenset(
            name
            for name in (computed | held) & values
            if name in held or is_held(program, pattern, seen, name)
        ),
        absent=(observed | named | held | {*program.outputs})
        & (data.never - known.never - lacks.missing),
        never=known.never | (data.never - lacks.missing - lacks.hangs),
    )


def _counts(term: Term, is_inside: bool, trains: bool) -> bool:
    """Whether log p/p_ref has the term. A frozen one is a weight inside the sum, and 0 outside."""
    return trains if is_inside else term.status == "trained"


def _anchored(program: Program, trained: Set[str]) -> frozenset[str]:
    """A bound is in a scale of its own, and no likelihood."""
    needed = trained if program.fit.needs_likelihood else ()
    return frozenset(name for name in needed if not program.term(name).bound)


def _reference(program: Program, term: Term) -> Cadence:
    if term.status != "trained":
        return "never"
    # One that needs the policy's noise is computed with it, unless the noise is of a fixed bank.
    return "every step" if program.models[str(term.model)].is_noisy else "once"


def _calls(program: Program, reference: Mapping[str, Cadence]) -> tuple[Call, ...]:
    compared = [name for name, when in reference.items() if when != "never"]
    return (*calls(program, reference, reference=False), *calls(program, compared, reference=True))


def _layers(program: Program, latent: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    depths = sorted({program.depths[name] for name in latent})
    return {d: tuple(name for name in latent if program.depths[name] == d) for d in depths}


def _draws(program: Program, latent: tuple[str, ...]) -> Draws:
    if not latent:
        return "never"
    frozen = all(program.term(name).status == "frozen" for name in latent)
    return "once" if frozen else "every draw"


def _decisive(
    program: Program, latent: tuple[str, ...], branches: Set[str], selections: Selections
) -> frozenset[str]:
    before = ancestors(program, {p for v in latent for p in program.variable(v).parents})
    # Whether a branch is drawn hangs on all that decides if a selection takes it.
    needed = branches & {*before, *latent}
    return frozenset(before | ancestors(program, selections.deciding(needed)))


def ancestors(program: Program, names: Set[str]) -> set[str]:
    """Everything that one of `names` depends on, and `names`."""
    found = set(names)
    for variable in reversed(program.variables):
        if variable.name in found:
            found.update(variable.parents)
    return found
