"""`importance` over everything that the sampler can draw, against enumeration in float64.

A step's estimate is linear in how often each trajectory is drawn. With the expected numbers in
place of those of one draw it has to be log p(what data holds | x) itself, on both sides: whatever
the sides toss coins for, and whatever only one of them can draw.
"""

import itertools
import random
from collections import Counter

import pytest

from sysgraph import Program
from sysgraph.latent import Gaps, Trajectory
from sysgraph.latent.chances import way
from sysgraph.latent.paths import Layers
from sysgraph.latent.sampler import Job

from .gated import World
from .gated_builder import Refining
from .scripted import cases, every_draw
from .test_sampling_gates import assert_is_the_marginal, moved, objective, world

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


def check(w: World, held: list[list[str]], seed: int) -> Counter[str]:
    """Every pair's estimate; what the pairs were like."""
    rng, found = random.Random(seed), Counter[str]()
    several = (cases(w, nodes, rng, "importance") for nodes in held)
    for case in itertools.chain.from_iterable(several):
        system = moved(case.program, seed)
        made = objective(system, case.pair)
        (gaps,) = made.table.gaps
        if gaps is None:
            continue
        sides = gaps.starts
        expected = Counter[frozenset[object]]()
        for side in sides:
            draws = every_draw(w, system, gaps, side)
            assert sum(draws.values()) == pytest.approx(1)
            expected.update({key: p / len(sides) for key, p in draws.items()})  # type: ignore[dict-item]
        pool = tuple(Trajectory(dict(key), p) for key, p in expected.items())  # type: ignore[arg-type]
        (drawn,) = made._sampler._weighed([Job(gaps, 0, "row")], [pool])
        assert_is_the_marginal(w, system, case.pair, case.sides, drawn)
        found[f"drawn under {len(sides)}"] += 1
        found["tosses differ"] += len(sides) == 2 and tosses_differ(case.program, gaps, pool)
    return found


def tosses_differ(program: Program, gaps: Gaps, pool: tuple[Trajectory, ...]) -> bool:
    layers = Layers(program)
    ways = [[way(program, layers, gaps, s, one.values, "row") for s in (0, 1)] for one in pool]
    return any(a and b and a.tosses != b.tosses for a, b in ways)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_drawn_gives_the_marginal_on_average(seed: int) -> None:
    found = check(world(seed), ROUTED, seed)
    assert found["drawn under 1"]
    assert found["drawn under 2"]


@pytest.mark.parametrize("seed", range(5))
def test_sides_that_toss_different_numbers_of_coins(seed: int) -> None:
    assert check(World(seed, Refining), REFINED, seed)["tosses differ"]
