"""Trajectories for the latent values of pairs, drawn from the current policy (appendix J).

    log p(y_a | x) = sum over latent v of  log p_model(v)( v | parents(v) ),  a = 1 .. k

One set stands for both sides of a pair and for policy and reference. Where the observed values
before a latent one differ between the sides, each side's are drawn under, and both share the union.

The branch that an observed selection takes is not drawn. Where a branch is needed before it is
known whether it is the one, a coin decides if it is drawn or has the selection's value, and a
trajectory that turns out otherwise is none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from ..engines import Request
from ..support.seeding import derive
from ..system import System
from .chances import way
from .gaps import Gaps
from .paths import Layers, Path, walk
from .terms import inside
from .trajectory import Trajectory, distinct
from .ways import WAYS

Drawn = tuple[Trajectory, ...]


@dataclass(frozen=True)
class Job:
    """A pair to draw for. `seed` decides its random numbers; `source` names it in messages."""

    gaps: Gaps
    seed: int
    source: str


class TrajectorySampler:
    """Draws as `fit.sampling` says."""

    def __init__(self, system: System) -> None:
        self._system, self._settings = system, system.program.fit.sampling
        self._way = WAYS[self._settings.sampler]

    def pools(self, jobs: Sequence[Job]) -> list[Drawn]:
        """The distinct trajectories of each pair, those that `select` chooses from."""
        settings = self._settings
        paths = [self._paths(number, job, settings.drawn) for number, job in enumerate(jobs)]
        for asked in walk(self._system, [path for several in paths for path in several]):
            self._way.fill(self._system, asked, settings)
        pools = [distinct(path.trajectory for path in several) for several in paths]
        return self._weighed(jobs, pools) if settings.estimator == "importance" else pools

    def select(self, jobs: Sequence[Job], pools: Sequence[Drawn]) -> list[Drawn]:
        """What of each pool is trained on, as the sampler chooses: two extremes, or all of it."""
        keep = self._way.keep
        if keep is None:
            return list(pools)
        scored = zip(pools, self._chosen(jobs, pools), strict=True)
        return [tuple(pool[i] for i in keep(scores)) for pool, scores in scored]

    def _chosen(self, jobs: Sequence[Job], pools: Sequence[Drawn]) -> list[list[float]]:
        """Log p(z_chosen | x, y_a) of every trajectory, nats; -inf where it cannot give z."""
        flat: list[list[Request] | None] = []
        for job, pool in zip(jobs, pools, strict=True):
            for one in pool:
                found = inside(self._system.program, job.gaps, 0, one.values)
                if found is None or not found.possible:
                    flat.append(None)
                else:
                    names = found.terms.keys() - one.values.keys()
                    flat.append([found.terms[name] for name in sorted(names)])
        return _split(_sums(self._system, flat), pools)

    def _paths(self, number: int, job: Job, wanted: int) -> list[Path]:
        """As many for each of the sides to draw under: `wanted` in all, rounded up."""
        sides = job.gaps.starts
        each = -(-wanted // len(sides))
        return [
            Path(
                job.gaps,
                s,
                number,
                derive(job.seed, s, a),
                partial(_tossed, derive(job.seed, s, a // 2, "coin"), a % 2),
                job.source,
            )
            for s in sides
            for a in range(each)
        ]

    def _weighed(self, jobs: Sequence[Job], pools: Sequence[Drawn]) -> list[Drawn]:
        """Each trajectory with log q of the mixture that drew it.

        As many are drawn under each of the sides, so q(y) is the mean of theirs: the balance
        heuristic (Veach & Guibas 1995).
        """
        program = self._system.program
        layers = Layers(program)
        ways = [
            [
                way(program, layers, job.gaps, side, one.values, job.source)
                for side in job.gaps.starts
            ]
            for job, pool in zip(jobs, pools, strict=True)
            for one in pool
        ]
        flat = [None if w is None else w.requests for several in ways for w in several]
        values = iter(_sums(self._system, flat))
        log_q = iter(
            [
                _log_mean([next(values) - (w.tosses * math.log(2) if w else 0) for w in several])
                for several in ways
            ]
        )
        return [tuple(replace(one, log_q=next(log_q)) for one in pool) for pool in pools]


def _log_mean(values: Sequence[float]) -> float:
    """The logarithm of the mean of what `values` are the logarithms of, one of them not -inf."""
    return float(torch.tensor(values).double().logsumexp(0)) - math.log(len(values))


def _tossed(seed: int, which: int, variable: str) -> bool:
    """The coin of one of two paths that share a seed: theirs come out differently."""
    return derive(seed, variable) % 2 == which


@torch.no_grad()
def _sums(system: System, flat: Sequence[Sequence[Request] | None]) -> list[float]:
    """The sum of each list's log-probabilities under the policy, nats; -inf for None."""
    unique = list(dict.fromkeys(request for several in flat for request in several or ()))
    values = dict(zip(unique, system.score(unique).tolist(), strict=True))
    return [-math.inf if s is None else math.fsum(values[r] for r in s) for s in flat]


def _split(values: Sequence[float], pools: Sequence[Drawn]) -> list[list[float]]:
    flat = iter(values)
    return [[next(flat) for _ in pool] for pool in pools]
