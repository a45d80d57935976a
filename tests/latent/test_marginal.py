"""With every trajectory found, a step is one on the marginal: loss and gradients by enumeration."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from .conftest import World

A, B, Z = ["a0", "a1", "a2"], ["b0", "b1"], ["z0", "z1", "z2"]
VALUES = {"a": A, "b": B, "z": Z}
CHAIN = {"a": "", "b": "a", "z": "b"}


def gradients(tables: dict[str, Tensor], loss: Callable[[dict[str, Tensor]], Tensor]) -> Any:
    leaves = {name: table.requires_grad_() for name, table in tables.items()}
    value = loss({name: leaf.log_softmax(-1).exp() for name, leaf in leaves.items()})
    value.backward()  # type: ignore[no-untyped-call]
    found = ((n, torch.zeros_like(t) if t.grad is None else t.grad) for n, t in leaves.items())
    return value.detach(), dict(found)


def sigmoid_loss(after: Tensor, before: Tensor, beta: float = 0.5) -> Tensor:
    """after, before: p of the chosen and of the rejected side, [2]."""
    moved = (after / before).log()
    return -torch.nn.functional.logsigmoid(beta * (moved[0] - moved[1]))


def assert_same(world: World, pairs: list[Any], after: Callable[..., Tensor]) -> None:
    """after: p of each side, [2], given the tables."""
    losses, _, found = world.step(pairs)
    before = after({n: t.softmax(-1) for n, t in world.tables(reference=True).items()}).detach()
    value, expected = gradients(world.tables(), lambda p: sigmoid_loss(after(p), before))
    torch.testing.assert_close(losses.sum().double(), value, rtol=1e-5, atol=1e-6)
    assert any(g.abs().max() > 1e-3 for g in found.values())
    for model, gradient in found.items():
        torch.testing.assert_close(gradient, expected[model], rtol=1e-4, atol=1e-6, msg=model)


@pytest.mark.parametrize("sampler", ["diverse_beam", "beam"])
def test_a_chain_with_everything_but_the_answer_unobserved(
    build: Callable[..., World], sampler: str
) -> None:
    world = build(CHAIN, VALUES, "z", sampling={"sampler": sampler, "k": 6})
    pair = world.pair({"z": "z0"}, {"z": "z2"})
    assert_same(world, [pair], lambda p: (p["ma"] @ p["mb"] @ p["mz"])[0, [0, 2]])
    _, totals, _ = world.step([pair])
    means = totals.means()
    assert means["sampling/distinct"] == 6
    assert means["sampling/covered_mass"] == pytest.approx(1)
    assert 1 < means["sampling/ess"] <= 6
    assert means["sampling/skipped"] == 0


def test_more_trajectories_than_there_are_values(build: Callable[..., World]) -> None:
    world = build({"a": "", "z": "a"}, VALUES, "z", sampling={"k": 50})
    pair = world.pair({"z": "z0"}, {"z": "z1"})
    assert_same(world, [pair], lambda p: (p["ma"] @ p["mz"])[0, [0, 1]])
    assert world.step([pair])[1].means()["sampling/distinct"] == 3


def test_a_frozen_upstream_factor_weighs_the_sum(build: Callable[..., World]) -> None:
    world = build({"a": "", "z": "a"}, VALUES, "z", sampling={"k": 3}, frozen="a")
    pair = world.pair({"z": "z0"}, {"z": "z1"})
    assert_same(world, [pair], lambda p: (p["ma"] @ p["mz"])[0, [0, 1]])


def test_a_frozen_downstream_model_teaches_the_upstream_one(build: Callable[..., World]) -> None:
    world = build({"a": "", "z": "a"}, VALUES, "z", sampling={"k": 3}, frozen="z")
    pair = world.pair({"z": "z0"}, {"z": "z1"})
    assert_same(world, [pair], lambda p: (p["ma"] @ p["mz"])[0, [0, 1]])


def test_an_observed_value_before_the_unobserved_one_differs(build: Callable[..., World]) -> None:
    """Drawn under either side's a, half of the k each, and both share the union."""
    world = build(CHAIN, VALUES, "z", sampling={"k": 4})
    pair = world.pair({"a": "a0", "z": "z0"}, {"a": "a2", "z": "z1"})

    def sides(p: dict[str, Tensor]) -> Tensor:
        return p["ma"][0, [0, 2]] * (p["mb"] @ p["mz"])[[0, 2], [0, 1]]

    assert_same(world, [pair], sides)


def test_an_observed_value_after_and_beside(build: Callable[..., World]) -> None:
    """b is seen and depends on a, which is not; z sees both."""
    world = build({"a": "", "b": "a", "z": "ab"}, VALUES, "z", sampling={"k": 3})
    pair = world.pair({"b": "b0", "z": "z0"}, {"b": "b1", "z": "z1"})

    def sides(p: dict[str, Tensor]) -> Tensor:
        terms = p["ma"][0, :, None, None] * p["mb"][:, :, None] * p["mz"].view(3, 2, 3)
        return terms.sum(0)[[0, 1], [0, 1]]

    assert_same(world, [pair], sides)


def test_what_nothing_observed_depends_on_is_left_out(build: Callable[..., World]) -> None:
    """b hangs on a and leads nowhere."""
    world = build({"a": "", "b": "a", "z": "a"}, VALUES, "z", sampling={"k": 3})
    pair = world.pair({"z": "z0"}, {"z": "z1"})
    assert_same(world, [pair], lambda p: (p["ma"] @ p["mz"])[0, [0, 1]])
    (gaps,) = world.objective([pair]).table.gaps
    assert gaps is not None
    assert gaps.plan.latent == ("a",)


def test_one_trajectory_is_direct_on_the_trace_it_completes(build: Callable[..., World]) -> None:
    settings = {"sampling": {"sampler": "ancestral", "k": 1}, "anchor": 0.2}
    world = build(CHAIN, VALUES, "z", **settings)
    pair = world.pair({"z": "z0"}, {"z": "z2"})
    (drawn,) = world.objective([pair])._drawn[0]
    values = {name: value.text for name, value in drawn.values.items()}
    full = world.pair({**values, "z": "z0"}, {**values, "z": "z2"})
    losses, _, found = world.step([pair])
    expected_losses, _, expected = world.step([full])
    torch.testing.assert_close(losses, expected_losses)
    for model, gradient in found.items():
        torch.testing.assert_close(gradient, expected[model], atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("loss", ["ipo", "hinge", "sigmoid"])
@pytest.mark.parametrize("frozen", ["", "a", "b", "ab", "z", "az"])
def test_what_is_frozen_counts_no_more_than_in_direct(
    build: Callable[..., World], frozen: str, loss: str
) -> None:
    """Ten equal draws, or a single one: then Sampling is Direct on the trace that it completes."""
    for certain in (True, False):
        values = {**VALUES, "a": ["a0"], "b": ["b0"]} if certain else VALUES
        k = 10 if certain else 1
        settings = {"sampling": {"sampler": "ancestral", "k": k}, "anchor": 0.3, "loss": loss}
        world = build(CHAIN, values, "z", frozen=frozen, **settings)
        pair = world.pair({"z": "z0"}, {"z": "z2"})
        (one,) = world.objective([pair])._drawn[0]
        known = {name: value.text for name, value in one.values.items()}
        full = world.pair({**known, "z": "z0"}, {**known, "z": "z2"})
        (ours, totals, found), (theirs, direct, expected) = world.step([pair]), world.step([full])
        torch.testing.assert_close(ours, theirs)
        assert totals.means()["nll/chosen"] == pytest.approx(direct.means()["nll/chosen"], rel=1e-5)
        for model, gradient in found.items():
            torch.testing.assert_close(gradient, expected[model], atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("loss", ["ipo", "hinge", "sigmoid"])
def test_mixed_pairs_are_what_each_kind_is_alone(build: Callable[..., World], loss: str) -> None:
    world = build(CHAIN, VALUES, "z", sampling={"k": 3}, loss=loss, anchor=0.3, label_smoothing=0.0)
    pairs = [
        world.pair({"a": "a0", "b": "b0", "z": "z0"}, {"a": "a1", "b": "b0", "z": "z2"}),
        world.pair({"z": "z0"}, {"z": "z2"}),
        world.pair({"a": "a0", "z": "z1"}, {"a": "a0", "z": "z0"}),
        world.pair({"a": "a2", "b": "b1", "z": "z0"}, {"a": "a2", "b": "b0", "z": "z1"}),
    ]
    losses, totals, found = world.step(pairs)
    alone = [world.step([pair]) for pair in pairs]
    torch.testing.assert_close(losses, torch.cat([one for one, _, _ in alone]))
    for model, gradient in found.items():
        torch.testing.assert_close(gradient, sum(g[model] for _, _, g in alone))
    means = [one.means() for _, one, _ in alone]
    for name in ("loss", "rewards/margins", "logps/chosen", "nll/chosen"):
        mean = sum(m[name] for m in means) / len(means)
        assert totals.means()[name] == pytest.approx(mean, rel=1e-5)
    assert totals.count("sampling/distinct") == 2


def test_data_that_holds_more_than_is_observed(build: Callable[..., World]) -> None:
    """`fit.observed: [z]`: a and b are summed over although the pair has them."""
    settings = {"sampling": {"k": 6}, "observed": ["z"]}
    world = build(CHAIN, VALUES, "z", **settings)
    full = world.pair({"a": "a0", "b": "b0", "z": "z0"}, {"a": "a1", "b": "b1", "z": "z2"})
    gaps = world.pair({"z": "z0"}, {"z": "z2"})
    assert torch.equal(world.step([full])[0], world.step([gaps])[0])
    assert_same(world, [full], lambda p: (p["ma"] @ p["mb"] @ p["mz"])[0, [0, 2]])
