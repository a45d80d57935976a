"""`importance` over everything that the sampler can draw, against enumeration in float64.

A step's estimate is linear in how often each trajectory is drawn. With the expected numbers in
place of those of one draw it has to be log p(what data holds | x) itself, on both sides: whatever
the sides toss coins for, and whatever only one of them can draw.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sysgraph import Completion, Program, System
from sysgraph.forward import complete
from sysgraph.latent import Gaps, Trajectory
from sysgraph.latent.chances import way
from sysgraph.latent.draw import Job
from sysgraph.latent.gaps import starts
from sysgraph.latent.paths import Asked, Layers, Path, walk
from sysgraph.training.pairs import Pair

from .gated import World
from .gated_builder import Refining
from .test_sampling_gates import BETA, assert_is_the_marginal, moved, objective, shown, world

ROUTED = [
    ["pick"],
    ["route", "pick"],
    ["route", "end"],
    ["pick", "again", "end"],
    ["pick", "items"],
    ["pick", "crit"],
    ["m0", "pick"],
]
REFINED = [
    ["pick"],
    ["mode", "pick"],
    ["mode", "pick", "end"],
    ["mode", "pick", "v1"],
    ["mode", "inner", "end"],
    ["mode", "pick", "d0"],
    ["pick", "note"],
]


class Script:
    """Decisions that are taken in every possible way, one run after the other."""

    def __init__(self) -> None:
        self._open: list[tuple[int, ...]] = [()]

    def __iter__(self) -> Iterator["Script"]:
        while self._open:
            self._given, self._taken, self.probability = self._open.pop(), (), 1.0
            yield self

    def decide(self, chances: list[float]) -> int:
        at = len(self._taken)
        if at == len(self._given):
            self._open += [(*self._taken, i) for i in range(1, len(chances))]
            self._given = (*self._given, 0)
        self._taken = (*self._taken, self._given[at])
        self.probability *= chances[self._given[at]]
        return self._given[at]

    def toss(self, _: str) -> bool:
        return self.decide([0.5, 0.5]) == 1


def chances(w: World, system: System, asked: Asked) -> dict[str, float]:
    row = list(w.rows[asked.model]).index(str(asked.context))
    p = system.parameters(asked.model)["logits"][row].detach().exp().tolist()
    found = dict(zip(w.values[asked.model], p, strict=True))
    among = {value: found[value] for value in asked.options or found}
    return {value: p / sum(among.values()) for value, p in among.items()}


def every_draw(w: World, system: System, gaps: Gaps) -> dict[frozenset[Any], float]:
    """What a draw can be, with its probability: as many are drawn under each of the sides."""
    found: dict[frozenset[Any], float] = {}
    sides = starts(system.program, gaps)
    for side in sides:
        for script in Script():
            path = Path(gaps, side, None, 0, script.toss, "row")
            for several in walk(system, [path]):
                for asked in several:
                    p = chances(w, system, asked)
                    text = list(p)[script.decide(list(p.values()))]
                    path.values[asked.variable] = Completion(text)
            key = frozenset(path.trajectory.values.items())
            found[key] = found.get(key, 0) + script.probability / len(sides)
    return found


def pairs(w: World, held: list[str], rng: random.Random) -> Iterator[tuple[Any, ...]]:
    """Random pairs of which data holds these nodes, and the outcomes that agree with each side."""
    compiled = w.program()
    if not {*held} <= {v.node for v in compiled.variables}:
        return
    names = [v.name for v in compiled.variables if v.node in held]
    fit = compiled.fit.model_copy(
        update={
            "beta": BETA,
            "observed": held,
            "sampling": compiled.fit.sampling.model_copy(
                update={"sampler": "ancestral", "estimator": "importance"}
            ),
        }
    )
    outputs = tuple(n for n in compiled.outputs if n in names) or (names[-1],)
    program = compiled.model_copy(update={"fit": fit, "outputs": outputs})
    by_shown: dict[Any, list[Any]] = {}
    for outcome in w.outcomes:
        by_shown.setdefault(shown(outcome, names), []).append(outcome)
    several = list(itertools.permutations(by_shown, 2))
    for patterns in rng.sample(several, min(2, len(several))):
        sides = [by_shown[pattern] for pattern in patterns]
        traces = [complete(program, w.trace(program, rng.choice(s).texts)) for s in sides]
        yield program, Pair(*traces, "row"), sides


def check(w: World, held: list[list[str]], seed: int) -> Counter[str]:
    """Every pair's estimate; what the pairs were like."""
    rng, found = random.Random(seed), Counter[str]()
    for program, pair, sides in itertools.chain.from_iterable(pairs(w, h, rng) for h in held):
        system = moved(program, seed)
        made = objective(system, pair)
        (gaps,) = made.table.gaps
        if gaps is None:
            continue
        expected = every_draw(w, system, gaps)
        assert sum(expected.values()) == pytest.approx(1)
        pool = tuple(Trajectory(dict(key), p) for key, p in expected.items())  # type: ignore[arg-type]
        (drawn,) = made._sampler._weighed([Job(gaps, 0, "row")], [pool])
        assert_is_the_marginal(w, system, pair, sides, drawn)
        both = len(starts(program, gaps)) == 2
        found["under one"] += not both
        found["under both"] += both
        found["tosses differ"] += both and tosses_differ(program, gaps, pool)
    return found


def tosses_differ(program: Program, gaps: Gaps, pool: tuple[Trajectory, ...]) -> bool:
    layers = Layers(program)
    ways = [[way(program, layers, gaps, s, one.values, "row") for s in (0, 1)] for one in pool]
    return any(a and b and a.tosses != b.tosses for a, b in ways)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_drawn_gives_the_marginal_on_average(seed: int) -> None:
    found = check(world(seed), ROUTED, seed)
    assert found["under one"]
    assert found["under both"]


@pytest.mark.parametrize("seed", range(5))
def test_sides_that_toss_different_numbers_of_coins(seed: int) -> None:
    assert check(World(seed, Refining), REFINED, seed)["tosses differ"]
