"""What each node adds to the system's margin, pair by pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from sysgraph_compiler import Program

from ..engines import Request
from ..engines.requests import requests
from ..latent import Drawn, Gaps, Job, Trajectory, TrajectorySampler, find_gaps, inside, outside
from ..objectives.credit import ratio_shares, system_ratio
from ..objectives.diffusion import noise_seeds
from ..support.errors import DataError
from ..support.progress import Reporter
from ..support.seeding import derive
from ..system import System
from ..traces.course import complete
from ..traces.pair import Pair

_PAIRS_AT_ONCE = 32


@dataclass(frozen=True)
class Ledger:
    """Shares of every pair's margin.

    Args:
        variables: the trained terms' variables, in the program's order: V.
        models: of each variable.
        shares: [N, V] beta * (log-ratio chosen - log-ratio rejected); they sum to `margins`.
        margins: [N] the system's, from log p alone; 0 for an unusable pair.
        without: [N] by trained model: the margin with that model put back to its reference.
        moved: [N, V] mean |log p/p_ref| of the sides' values, nats; NaN where neither was scored.
        usable: [N] bool: some trajectory gives both sides' values.
        groups: [N] equal for pairs of equal inputs.
        summed: whether unobserved values are summed over, in some pair.
    """

    variables: tuple[str, ...]
    models: tuple[str, ...]
    shares: Tensor
    margins: Tensor
    without: Mapping[str, Tensor]
    moved: Tensor
    usable: Tensor
    groups: tuple[str, ...]
    summed: bool


@torch.no_grad()
def ledger(
    system: System, pairs: Sequence[Pair], *, seed: int = 0, reporter: Reporter | None = None
) -> Ledger:
    """Every pair's margin, split among the nodes (see `objectives.credit` for unobserved values).

    Exact, up to the trajectories that stand for unobserved values, drawn as training does; an
    image's share is one of its bound, under noise that policy, reference and both sides have alike.

    Args:
        system: with the policy's weights; its reference is what the policy is compared with.
        seed: of trajectories and noise.

    Raises:
        DataError: values that a model cannot score.
    """
    reporter = reporter or Reporter(shown=False)
    parts = []
    with reporter.task("credit", len(pairs)) as task:
        for start in range(0, len(pairs), _PAIRS_AT_ONCE):
            several = pairs[start : start + _PAIRS_AT_ONCE]
            parts.append(_Part(system, several, seed, start).ledger())
            task.advance(len(several))
    return _joined(parts) if parts else _Part(system, (), seed, 0).ledger()


@dataclass(frozen=True)
class _Cell:
    """One trajectory of one side: its terms, and whether it gives the side's values."""

    terms: Mapping[str, Request]
    possible: bool


class _Part:
    """A few pairs: [2, N, A] cells, side 0 chosen, of at most A trajectories a pair."""

    def __init__(self, system: System, pairs: Sequence[Pair], seed: int, first: int) -> None:
        self._system, self._program, self._pairs = system, system.program, pairs
        self._seed, self._first = seed, first
        trained = [t for t in self._program.terms if t.status == "trained"]
        self._variables = tuple(t.variable for t in trained)
        self._models = tuple(str(t.model) for t in trained)
        self._places = {name: v for v, name in enumerate(self._variables)}
        gaps = [_gaps(self._program, pair) for pair in pairs]
        self._drawn = self._trajectories(gaps)
        self._size = max([1, *map(len, self._drawn)])
        together = [*zip(pairs, gaps, self._drawn, strict=True)]
        self._cells = [[self._side(*one, side) for one in together] for side in (0, 1)]
        self._require()

    def ledger(self) -> Ledger:
        """The pairs' shares, in float64."""
        policy, reference, possible = self._tables()  # (2, N, A, T), (2, N, A)
        drawn = self._weights()
        beta = self._program.fit.beta
        ratio = system_ratio(policy, reference, possible, *drawn)  # (2, N)
        shares = ratio_shares(policy, reference, possible, *drawn)[..., : len(self._variables)]
        finite = policy.sum(-1).isfinite() & reference.sum(-1).isfinite() & possible
        kept = finite.any(-1).all(0)  # (N,)
        without = {}
        for model in dict.fromkeys(self._models):
            own = torch.tensor([m == model for m in self._models], dtype=torch.bool)
            own = torch.cat([own, own.new_zeros(policy.shape[-1] - len(own))])
            back = system_ratio(policy.where(~own, reference), reference, possible, *drawn)
            without[model] = (beta * (back[0] - back[1])).where(kept, 0)
        return Ledger(
            self._variables,
            self._models,
            (beta * (shares[0] - shares[1])).where(kept[:, None], 0),
            (beta * (ratio[0] - ratio[1])).where(kept, 0),
            without,
            self._moved(policy, reference, possible),
            kept,
            tuple(repr(sorted(pair.chosen.inputs.items())) for pair in self._pairs),
            any(map(self._summed, range(len(self._pairs)))),
        )

    def _moved(self, policy: Tensor, reference: Tensor, possible: Tensor) -> Tensor:
        count = len(self._variables)
        there = torch.zeros((*policy.shape[:-1], count), dtype=torch.bool)
        for s, n, a, cell in self._every():
            there[s, n, a, [self._places[name] for name in cell.terms if name in self._places]] = (
                True
            )
        ratio = (policy - reference)[..., :count].abs()
        there &= possible.unsqueeze(-1) & ratio.isfinite()
        total = ratio.where(there, 0).sum((0, 2))
        return total / there.sum((0, 2))  # 0 / 0: NaN

    # ---- cells

    def _trajectories(self, gaps: Sequence[Gaps | None]) -> list[Drawn]:
        whole: Drawn = (Trajectory({}),)
        jobs = [
            Job(gap, derive(self._seed, "credit", self._first + n), self._pairs[n].source)
            for n, gap in enumerate(gaps)
            if gap is not None and gap.plan.trains
        ]
        sampler = TrajectorySampler(self._system)
        found = iter(sampler.select(jobs, sampler.pools(jobs)) if jobs else ())
        return [next(found) if gap is not None and gap.plan.trains else whole for gap in gaps]

    def _side(self, pair: Pair, gaps: Gaps | None, drawn: Drawn, side: int) -> list[_Cell | None]:
        if gaps is None:
            trace = complete(self._program, (pair.chosen, pair.rejected)[side])
            return [_Cell(dict(requests(self._program, trace)), True)]
        beside = dict(requests(self._program, outside(gaps, side)))
        if not gaps.plan.trains:  # the sum is one number under policy and reference
            return [_Cell(beside, True)]
        found = (inside(self._program, gaps, side, one.values) for one in drawn)
        return [_Cell({**beside, **c.terms}, c.possible) if c else None for c in found]

    def _every(self) -> list[tuple[int, int, int, _Cell]]:
        return [
            (s, n, a, cell)
            for s, side in enumerate(self._cells)
            for n, several in enumerate(side)
            for a, cell in enumerate(several)
            if cell is not None and cell.possible
        ]

    def _require(self) -> None:
        problems = {}
        for s, n, _, cell in self._every():
            for name, request in cell.terms.items():
                if (name in self._places or self._summed(n)) and name not in problems:
                    found = self._system.problem(request)
                    side = ("chosen", "rejected")[s]
                    if found is not None:
                        problems[name] = f"{self._pairs[n].source}: {side}.{name}: {found}"
        if problems:
            raise DataError(list(problems.values()))

    def _summed(self, n: int) -> bool:
        """Whether there is a sum, in which what is frozen is a weight."""
        return len(self._drawn[n]) > 1

    # ---- numbers

    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Log p and log p_ref, [2, N, A, V + 1], nats, and what is possible, [2, N, A].

        The last column is the sum of the frozen terms, which is one number under both.
        """
        ids: dict[Request, int] = {}
        where, last = [], len(self._variables)
        for s, n, a, cell in self._every():
            for name, request in cell.terms.items():
                if name in self._places or self._summed(n):
                    v = self._places.get(name, last)
                    key = self._noised(request, name, n)
                    where.append((s, n, a, v, ids.setdefault(key, len(ids))))
        asked = list(ids)
        policy = self._system.score(asked).double().cpu()
        fixed = {r for *_, v, r in where if v == last}
        moving = [r for r in range(len(asked)) if r not in fixed]
        before = self._system.score([asked[r] for r in moving], reference=True).double().cpu()
        reference = policy.index_copy(0, torch.tensor(moving, dtype=torch.long), before)
        shape = (2, len(self._pairs), self._size, last + 1)
        possible = torch.zeros(shape[:3], dtype=torch.bool)
        for s, n, a, _ in self._every():
            possible[s, n, a] = True
        index = torch.tensor(where, dtype=torch.long).view(-1, 5)
        places = tuple(index[:, :4].unbind(1))
        tables = [
            torch.zeros(shape, dtype=torch.float64).index_put(
                places, values[index[:, 4]], accumulate=True
            )
            for values in (policy, reference)
        ]
        return tables[0], tables[1], possible

    def _noised(self, request: Request, variable: str, n: int) -> Request:
        noise = self._program.models[request.model].noise
        if noise is None:
            return request
        key = (self._seed, self._first + n, 0)
        seeds = noise_seeds(key, variable, noise.draws, noise.timesteps)
        return replace(request, noise=seeds)

    def _weights(self) -> tuple[Tensor | None, Tensor]:
        """Log q, [N, A], None without `importance`, and how often each was drawn, [N, A]."""
        size = self._size
        draws = [[t.draws for t in d] + [0] * (size - len(d)) for d in self._drawn]
        counts = torch.tensor(draws, dtype=torch.float64).view(-1, size)
        if all(t.log_q is None for d in self._drawn for t in d):
            return None, counts
        log_q = [[t.log_q or 0.0 for t in d] + [0.0] * (size - len(d)) for d in self._drawn]
        return torch.tensor(log_q, dtype=torch.float64).view(-1, size), counts


def _gaps(program: Program, pair: Pair) -> Gaps | None:
    return find_gaps(program, complete(program, pair.chosen), complete(program, pair.rejected))


def _joined(parts: Sequence[Ledger]) -> Ledger:
    first = parts[0]

    def cat(name: str) -> Tensor:
        return torch.cat([cast(Tensor, getattr(part, name)) for part in parts])

    return Ledger(
        first.variables,
        first.models,
        cat("shares"),
        cat("margins"),
        {model: torch.cat([part.without[model] for part in parts]) for model in first.without},
        cat("moved"),
        cat("usable"),
        tuple(group for part in parts for group in part.groups),
        any(part.summed for part in parts),
    )
