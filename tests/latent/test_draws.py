"""What is drawn for a pair: which texts, under what, how often, with which probability."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from sysgraph import Completion
from sysgraph.latent import Trajectory
from sysgraph.traces.pair import Pair

from .conftest import World

Build = Callable[..., World]

VALUES = {n: [f"{n}{i}" for i in range(4)] for n in "abcdefz"}
CHAIN = {"a": "", "b": "a", "z": "b"}


def drawn(world: World, pair: Pair, *key: object) -> Sequence[Trajectory]:
    return world.objective([pair], *key)._drawn[0]


def texts(several: Sequence[Trajectory]) -> list[str]:
    return ["".join(v.text for _, v in sorted(t.values.items())) for t in several]


def answers(world: World, **before: tuple[str, str]) -> Pair:
    sides = ({**{n: v[s] for n, v in before.items()}, "z": f"z{s}"} for s in (0, 1))
    return world.pair(*sides)


def ranked(world: World, model: str, row: int) -> list[int]:
    order: list[int] = world.tables()[model][row].argsort(descending=True).tolist()
    return order


def test_random_numbers_are_of_the_step_and_the_pair(build: Build) -> None:
    world = build(CHAIN, VALUES, "z", sampling={"sampler": "ancestral", "k": 8})
    pair = answers(world)
    found = [texts(drawn(world, pair, step)) for step in (0, 0, 1)]
    assert found[0] == found[1]
    assert found[0] != found[2]
    objective = world.objective([pair, pair])
    assert texts(objective._drawn[0]) != texts(objective._drawn[1])
    assert sum(t.draws for t in objective._drawn[0]) == 8


def test_one_context_gives_different_beams_and_each_context_its_best(build: Build) -> None:
    world = build(CHAIN, VALUES, "z", sampling={"k": 3})
    first = ranked(world, "ma", 0)[:3]
    expected = [f"a{a}b{ranked(world, 'mb', a)[0]}" for a in first]
    assert texts(drawn(world, answers(world))) == expected


def test_parallel_nodes_each_give_their_own_beams(build: Build) -> None:
    """Mixture-of-Agents: three drafts of x, three revisions that see them all."""
    values = {**{n: VALUES[n][:2] for n in "abcdef"}, "z": VALUES["z"]}
    agents = {"a": "", "b": "", "c": "", "d": "abc", "e": "abc", "f": "abc", "z": "def"}
    world = build(agents, values, "z", sampling={"k": 2})
    one, two = drawn(world, answers(world))
    for name in "abc":
        assert {one.values[name].text, two.values[name].text} == set(values[name])
    for t in (one, two):
        bits = [int(t.values[name].text[1]) for name in "abc"]
        row = bits[0] * 4 + bits[1] * 2 + bits[2]
        for name in "def":
            assert t.values[name].text == f"{name}{ranked(world, f'm{name}', row)[0]}"
    losses, _, gradients = world.step([answers(world)])
    assert losses.isfinite().all()
    assert all(bool(g.any()) for g in gradients.values())


def test_each_side_s_observed_values_are_drawn_under(build: Build) -> None:
    """b's likeliest values under a0 and under a2, one each of k = 2."""
    world = next(
        found
        for seed in range(20)
        if ranked(found := build(CHAIN, VALUES, "z", seed=seed), "mb", 0)[0]
        != ranked(found, "mb", 2)[0]
    )
    best = [f"b{ranked(world, 'mb', row)[0]}" for row in (0, 2)]
    assert texts(drawn(world, answers(world, a=("a0", "a2")))) == best
    same = texts(drawn(world, answers(world, a=("a0", "a0"))))
    assert same == [f"b{value}" for value in ranked(world, "mb", 0)[:2]]


@pytest.mark.parametrize("seen", [{}, {"a": ("a0", "a2")}], ids=["x", "each side's a"])
def test_q_is_the_distribution_that_was_drawn_from(build: Build, seen: dict[str, Any]) -> None:
    """Of a mixture of two: the mean."""
    settings = {"sampler": "ancestral", "estimator": "importance", "k": 60}
    world = build(CHAIN, VALUES, "z", sampling=settings)
    tables = {name: table.softmax(-1) for name, table in world.tables().items()}
    found = drawn(world, answers(world, **seen))
    assert sum(t.draws for t in found) == 60
    assert len(found) < 60
    for t in found:
        b = int(t.values["b"].text[1])
        q = tables["mb"][[0, 2], b].mean()
        if not seen:
            a = int(t.values["a"].text[1])
            q = tables["ma"][0, a] * tables["mb"][a, b]
        assert t.log_q == pytest.approx(float(q.log()), abs=1e-6)


def test_importance_comes_close_to_the_marginal(build: Build) -> None:
    settings = {"sampler": "ancestral", "estimator": "importance", "k": 1000}
    world = build(CHAIN, VALUES, "z", sampling=settings)
    _, totals, _ = world.step([answers(world)])
    p = {name: table.softmax(-1) for name, table in world.tables().items()}
    exact = (p["ma"] @ p["mb"] @ p["mz"])[0].log()
    assert totals.means()["logps/chosen"] == pytest.approx(float(exact[0]), abs=0.1)
    assert totals.means()["logps/rejected"] == pytest.approx(float(exact[1]), abs=0.1)


def test_contrastive_keeps_the_extremes_of_the_chosen_answer(build: Build) -> None:
    world = build({"a": "", "z": "a"}, VALUES, "z", sampling={"sampler": "contrastive"})
    chosen = world.tables()["mz"].log_softmax(-1)[:, 0]  # log p(z0 | a)
    wanted = {f"a{int(chosen.argmax())}", f"a{int(chosen.argmin())}"}
    assert set(texts(drawn(world, answers(world)))) == wanted


def test_trajectories_survive_json() -> None:
    one = Trajectory({"a": Completion("t", (1, 2)), "b": Completion("u")}, 3, float(torch.rand(1)))
    assert Trajectory.from_json(json.loads(json.dumps(one.to_json()))) == one
