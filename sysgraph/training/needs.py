"""What one pair needs: the compiler's plan, and the requests that no unobserved value enters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sysgraph_compiler import Program
from sysgraph_compiler.planning import Plan

from ..engines import Request
from ..engines.requests import requests
from ..latent import Gaps, find_gaps, outside, whole
from ..traces.course import complete
from ..traces.pair import Pair


@dataclass(frozen=True)
class Needs:
    """A pair's plan, with its values.

    Args:
        plan: what all pairs with these values need.
        gaps: what it sums over, None where it lacks nothing.
        sides: the terms that no unobserved value enters, of chosen and rejected.
    """

    plan: Plan
    gaps: Gaps | None
    sides: tuple[Mapping[str, Request], Mapping[str, Request]]

    @cached_property
    def compared(self) -> frozenset[str]:
        """The terms whose ratio counts. Before they have noise: it would tell the sides apart."""
        one, other = self.sides
        agrees = {t for t in self.plan.cancelling if one.get(t) == other.get(t)}
        return (self.plan.compared - agrees) & (one.keys() | other.keys())

    @cached_property
    def anchored(self) -> frozenset[str]:
        """The terms whose likelihood counts on the chosen side."""
        return self.plan.anchored & self.sides[0].keys()

    @property
    def scored(self) -> tuple[frozenset[str], frozenset[str]]:
        """The terms to score of each side, of those that it has."""
        return self.compared | self.anchored, self.compared


def needs(program: Program, pair: Pair) -> Needs:
    """What the pair needs.

    Raises:
        InputError: a template, on the pair's values.
    """
    one, other = complete(program, pair.chosen), complete(program, pair.rejected)
    gaps = find_gaps(program, one, other)
    if gaps is None:
        found = whole(program, one, other)
    else:
        found, one, other = gaps.plan, outside(gaps, 0), outside(gaps, 1)
    return Needs(found, gaps, (dict(requests(program, one)), dict(requests(program, other))))


def has_gaps(program: Program, pair: Pair) -> bool:
    """Whether the pair lacks values."""
    one, other = complete(program, pair.chosen), complete(program, pair.rejected)
    return find_gaps(program, one, other) is not None
