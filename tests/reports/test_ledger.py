"""Every node's share of the margin, against `log_prob` and against enumeration."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import System, Trace
from sysgraph.reports.credit import clustered, credit
from sysgraph.reports.ledger import ledger
from sysgraph.traces.pair import Pair
from tests.exactness.latent import SHAPES, Shape, build

FOLDER = Path(__file__).parents[2] / "graphs"
GRAPHS = sorted(f for f in FOLDER.rglob("*.yaml") if not {"hub", "real"} & {*f.parts})


def disturb(system: System, scale: float = 0.02) -> None:
    """Moves every trained weight."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for model in system.trained():
            for parameter in system.parameters(model).values():
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(noise, alpha=scale)


@pytest.mark.usefixtures("hasty_toys")
@pytest.mark.parametrize("file", GRAPHS, ids=lambda file: file.stem)
def test_the_shares_of_every_graph_sum_to_its_margin(file: Path) -> None:
    graph = sysgraph.load(file)
    fit = graph.fit.model_copy(update={"observed": None})  # a marginal's oracle is below
    program = sysgraph.compile(graph.model_copy(update={"fit": fit}))
    system = System(program, device="cpu")
    row = sysgraph.load_inputs(program, str(graph.fit.inputs))[3]
    found = system.sample(row, n=2, seed=5)
    disturb(system)
    pair = Pair(found[0], found[1], "here")
    shares = ledger(system, [pair])
    torch.testing.assert_close(shares.shares.sum(-1), shares.margins)
    bounds = {term.variable for term in program.terms if term.bound}
    with torch.no_grad():
        after, before = (system.log_prob(found, reference=r) for r in (False, True))
    for v, name in enumerate(shares.variables):
        if name not in bounds:  # whose noise is drawn for each pair
            chosen, rejected = ((after[name] - before[name]) * fit.beta).tolist()
            assert shares.shares[0, v].item() == pytest.approx(chosen - rejected, abs=1e-4)
    one, other = (trace.values for trace in found)
    if any(one.get(name) != other.get(name) for name in shares.variables):
        assert shares.shares.abs().sum() > 0
    nodes = credit(program, shares, data="here").nodes
    assert {n.variable for n in nodes if n.bound} == bounds & set(shares.variables)


def sampled(shape: Shape) -> tuple[System, list[Pair], torch.Tensor]:
    """A random system of tables, moved away from its reference, and pairs with gaps."""
    world = build(shape, seed=7)
    program = world.system.program
    sampling = program.fit.sampling.model_copy(update={"k": 600, "sampler": "ancestral"})
    fit = program.fit.model_copy(update={"sampling": sampling})
    system = System(program.model_copy(update={"fit": fit}), device="cpu")
    before = {m: system.parameters(m)["logits"].detach().clone() for m in system.trained()}
    disturb(system, 0.5)
    seen = [
        Trace(t.inputs, {n: v for n, v in t.values.items() if n in shape.observed}, t.outputs)
        for t in world.traces[:: world.columns]
    ]
    pairs = [Pair(a, b, "here") for a, b in pairwise(seen)]

    def exact(back: str | None) -> Tensor:
        now = {f"m_{n}": system.parameters(f"m_{n}")["logits"].detach() for n in shape.nodes}
        logits = {**now, **({back: before[back]} if back else {})}
        after, reference = (
            world.brute_force({m.removeprefix("m_"): v for m, v in each.items()})
            for each in (logits, before)
        )
        ratio = fit.beta * (after - reference)
        return ratio[:-1] - ratio[1:]

    return system, pairs, torch.stack([exact(None), *(exact(m) for m in before)])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_sums_over_unobserved_values_are_split_exactly(shape: Shape) -> None:
    system, pairs, exact = sampled(shape)
    found = ledger(system, pairs)
    assert found.usable.all()
    assert found.summed
    torch.testing.assert_close(found.margins, exact[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.shares.sum(-1), found.margins)
    for without, expected in zip(found.without.values(), exact[1:], strict=True):
        torch.testing.assert_close(without, expected, rtol=1e-5, atol=1e-6)
    moved: Mapping[str, Tensor] = dict(zip(found.variables, found.shares.abs().sum(0), strict=True))
    assert all(moved[node] > 0 for node in shape.nodes), "latent nodes too"


def test_pairs_of_one_input_hang_together() -> None:
    """Every value twice is no more evidence; alone, the interval is Student's."""
    values = torch.tensor([0.3, -0.1, 0.8, 0.4, 0.2], dtype=torch.float64)
    alone = clustered(values, list("abcde"))
    twice = clustered(values.repeat_interleave(2), list("aabbccddee"))
    assert (twice.mean, twice.n) == (pytest.approx(alone.mean), 10)
    assert (twice.low, twice.high) == (pytest.approx(alone.low), pytest.approx(alone.high))
    half = 2.7764451 * values.std().item() / 5**0.5
    assert alone.high == pytest.approx(values.mean().item() + half)
    assert clustered(values, ["a"] * 5).low is None


def test_a_side_that_no_trajectory_gives_is_left_out() -> None:
    system, pairs, _ = sampled(SHAPES[0])
    whole = ledger(system, pairs)
    logits = system.parameters("m_z")["logits"]
    with torch.no_grad():
        logits[:, 0] = -torch.inf
    found = ledger(system, pairs)
    assert whole.usable.tolist() == [True, True]
    assert found.usable.tolist() == [False, True]
    assert found.margins[0] == 0
    means = credit(system.program, found, data="here")
    assert (means.pairs, means.skipped) == (1, 1)
