"""Preference pairs, and the table of requests that scoring them takes."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..engines import Request
from ..latent import Gaps
from ..system import System
from ..traces.pair import Pair
from .batches import hold_out
from .needs import needs
from .noise import Noises


@dataclass(frozen=True)
class PairTable:
    """Pairs as indices into a list of distinct requests, so that equal requests are scored once.

    `index[n, side, t]` is the request of pair n's term t, or R = len(requests) where that side has
    nothing to score. `compared[n, t]`: the term's ratio counts (it is trained and does not cancel);
    `anchored[n, t]`: so does its likelihood on the chosen side. `tokens[r]` is the number of scored
    tokens of request r, 0 for r = R.

    Of a term whose noise repeats, `index` has the first set of draws, and the requests of the
    others come after it; of one whose noise is renewed, the request without noise.

    Terms that an unobserved value enters are no part of that: `gaps[n]` says what pair n sums over,
    None where nothing is left to sum. `seen` are the terms that some side of a pair has, those that
    cancel too; `bounds` those that are bounds in a scale of their own, and no log-likelihoods.

    A visit v is of row v % N, for the (v // N + 1)-th time: so 0 .. N - 1 are the rows themselves.
    """

    terms: tuple[str, ...]
    requests: tuple[Request, ...]
    index: Tensor  # (N, 2, T) long
    compared: Tensor  # (N, T) bool
    anchored: Tensor  # (N, T) bool
    tokens: Tensor  # (R + 1,) float
    gaps: tuple[Gaps | None, ...]
    sources: tuple[str, ...]
    noises: Noises
    seen: frozenset[str]
    bounds: frozenset[str]

    @cached_property
    def exact(self) -> Tensor:
        """Whether each term is a log-likelihood, and no bound in a scale of its own: [T]."""
        exact = [name not in self.bounds for name in self.terms]
        return torch.tensor(exact, dtype=torch.bool)

    @cached_property
    def renewed(self) -> Tensor:
        """Whether each term has new noise at every visit: [T]."""
        renewed = [self.noises.is_renewed(name) for name in self.terms]
        return torch.tensor(renewed, dtype=torch.bool)

    @cached_property
    def sets(self) -> Tensor:
        """Sets of draws that the visits of a row take in turn, by term: [T] long."""
        return torch.tensor([self.noises.repeated(name) for name in self.terms], dtype=torch.long)

    @property
    def has_gaps(self) -> bool:
        """Whether some pair sums over unobserved values."""
        return any(gaps is not None for gaps in self.gaps)

    def __len__(self) -> int:
        return len(self.index)

    def at(self, visits: Sequence[int]) -> Tensor:
        """`index` with the sets of draws that `visits` have: [B, 2, T]."""
        at = torch.tensor(visits, dtype=torch.long)
        index = self.index[at % len(self)]
        number = (at // len(self))[:, None, None] % self.sets  # (B, 1, T)
        return index + number.expand_as(index).where(index < len(self.requests), 0)

    def chosen_lengths(self, visits: Sequence[int]) -> Tensor:
        """Tokens of the chosen sides' texts and choices: [B, T]; 0 where there is none."""
        return self.tokens[self.at(visits)[:, 0]].where(self.exact, 0)

    def renewal(self, visit: int, term: int, request: int) -> Request:
        """A request of a renewed term, with the visit's noise."""
        noise = self.noises.draws(self.terms[term], visit % len(self), visit // len(self))
        return replace(self.requests[request], noise=noise)

    def referenced(self, visits: Sequence[int]) -> list[int]:
        """The requests whose reference value some ratio of `visits` needs, and which repeat."""
        if not visits:
            return []
        index = self.at(visits)
        compared = self.compared[[visit % len(self) for visit in visits]] & ~self.renewed
        used = index[compared[:, None].expand_as(index)].unique()
        return used[used < len(self.requests)].tolist()  # type: ignore[no-any-return]

    def warnings(self, system: System) -> list[str]:
        """What is odd about pairs that can be scored, each pair once, with where it came from."""
        texts = [*(system.warning(request) for request in self.requests), None]
        found: dict[str, str] = {}
        for source, sides in zip(self.sources, self.index.tolist(), strict=True):
            for side, numbers in zip(("chosen", "rejected"), sides, strict=True):
                for name, number in zip(self.terms, numbers, strict=True):
                    if texts[number] is not None:
                        found.setdefault(source, f"{source}: {side}.{name}: {texts[number]}")
        return list(found.values())


def tabulate(
    system: System, pairs: Sequence[Pair], *, seed: int = 0, held_out: bool = False
) -> PairTable:
    """The table of `pairs`, as the compiler's plan of each says.

    What is compared drops out where the sides agree on value and prompt, unless it is anchored:
    then the chosen side is scored all the same. Sums in which nothing trains are left out.

    Args:
        seed: of the noise of terms that are bounds; it tells tables apart.
        held_out: each pair has one set of draws for all evaluations.
    """
    terms = tuple(t.variable for t in system.program.terms if t.status == "trained")
    noises = Noises.of(system.program, seed, held_out=held_out)
    bounds = frozenset(t.variable for t in system.program.terms if t.bound)
    every = [needs(system.program, pair) for pair in pairs]
    ids: dict[Request, int] = {}
    index = [
        [
            [
                _number(ids, noises, t, row, side[t]) if t in side and t in wanted else -1
                for t in terms
            ]
            for side, wanted in zip(one.sides, one.scored, strict=True)
        ]
        for row, one in enumerate(every)
    ]
    numbers = torch.tensor(index, dtype=torch.long).view(-1, 2, len(terms))
    return PairTable(
        terms,
        tuple(ids),
        numbers.where(numbers >= 0, len(ids)),
        _marks(terms, [one.compared for one in every]),
        _marks(terms, [one.anchored for one in every]),
        torch.tensor([*(system.length(r) for r in ids), 0], dtype=torch.float32),
        tuple(one.gaps if one.plan.trains else None for one in every),
        tuple(pair.source for pair in pairs),
        noises,
        frozenset(t for one in every for side in one.sides for t in side),
        bounds,
    )


def _marks(terms: Sequence[str], marked: Sequence[Set[str]]) -> Tensor:
    """Which of `terms` each pair marks: [N, T] bool."""
    marks = [[term in one for term in terms] for one in marked]
    return torch.tensor(marks, dtype=torch.bool).view(-1, len(terms))


def _number(
    ids: dict[Request, int], noises: Noises, variable: str, row: int, request: Request
) -> int:
    """The request's number, or that of the first of its sets of draws: the others come after it."""
    if noises.is_renewed(variable):
        return ids.setdefault(request, len(ids))
    sets = range(noises.repeated(variable))
    several = [replace(request, noise=noises.draws(variable, row, k)) for k in sets]
    first, *_ = [ids.setdefault(one, len(ids)) for one in several]
    return first


def split_pairs(pairs: Sequence[Pair], fraction: float, seed: int) -> dict[str, list[Pair]]:
    """`train` and `held_out`: whole inputs are held out, so that none is on both sides."""
    held = hold_out([input_key(pair.chosen.inputs) for pair in pairs], fraction, seed)
    sides = list(zip(pairs, held, strict=True))
    return {"train": [p for p, h in sides if not h], "held_out": [p for p, h in sides if h]}


def input_key(inputs: Mapping[str, Any]) -> str:
    """Equal for equal inputs."""
    return repr(sorted(inputs.items()))
