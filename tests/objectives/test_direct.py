"""SysDPO-Direct against hand-made sums, and its minimum on enumerated populations."""

import itertools
import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, Fit, System, Trace
from sysgraph.objectives import chosen_nll, direct_loss, log_ratios, node_losses

B, T = 5, 3


@pytest.fixture
def values() -> dict[str, Tensor]:
    """[2, B, T] log-probabilities and tokens, [B, T] compared; the last pair compares nothing."""
    generator = torch.Generator().manual_seed(0)
    policy = -10 * torch.rand(2, B, T, generator=generator, dtype=torch.float64)
    reference = -10 * torch.rand(2, B, T, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 9, (2, B, T), generator=generator).double()
    compared = torch.rand(B, T, generator=generator) > 0.3
    compared[-1] = False
    return {"policy": policy, "reference": reference, "tokens": tokens, "compared": compared}


def by_hand(v: dict[str, Tensor], n: int, terms: list[int], fit: Fit) -> float:
    """The loss of pair n as if its system had these terms."""
    sides = []
    for side in range(2):
        ratio = sum(
            float(v["policy"][side, n, t] - v["reference"][side, n, t])
            for t in terms
            if v["compared"][n, t]
        )
        length = sum(float(v["tokens"][side, n, t]) for t in terms)
        sides.append(ratio / length if fit.loss == "ipo" else ratio)
    margin = sides[0] - sides[1]
    if fit.loss == "ipo":
        return (margin - 1 / (2 * fit.beta)) ** 2
    if fit.loss == "hinge":
        return max(0.0, 1 - fit.beta * margin)
    smooth = fit.label_smoothing
    right, wrong = (math.log1p(math.exp(-s * fit.beta * margin)) for s in (1, -1))
    return (1 - smooth) * right + smooth * wrong


FITS = [
    Fit(beta=0.2),
    Fit(beta=0.2, label_smoothing=0.1),
    Fit(beta=0.5, loss="ipo"),
    Fit(beta=0.2, loss="hinge"),
]


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.loss)
def test_the_system_is_one_sum(values: dict[str, Tensor], fit: Fit) -> None:
    ratios = log_ratios(values["policy"], values["reference"], values["compared"])
    wanted = [by_hand(values, n, list(range(T)), fit) for n in range(B)]
    found = direct_loss(ratios, values["tokens"], fit)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.loss)
def test_separate_dpo_is_a_sum_of_losses(values: dict[str, Tensor], fit: Fit) -> None:
    ratios = log_ratios(values["policy"], values["reference"], values["compared"])
    wanted = [
        sum(by_hand(values, n, [t], fit) for t in range(T) if values["compared"][n, t])
        for n in range(B)
    ]
    found = node_losses(ratios, values["tokens"], values["compared"], fit)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


def test_what_is_not_compared_gets_no_gradient(values: dict[str, Tensor]) -> None:
    policy = values["policy"].requires_grad_()
    ratios = log_ratios(policy, values["reference"], values["compared"])
    direct_loss(ratios, values["tokens"], Fit()).sum().backward()
    assert policy.grad is not None
    touched = policy.grad != 0
    assert torch.equal(touched, values["compared"].expand_as(touched))


def test_anchor_is_per_token_of_the_chosen_side(values: dict[str, Tensor]) -> None:
    found = chosen_nll(values["policy"], values["tokens"])
    for n in range(B):
        wanted = -values["policy"][0, n].sum() / values["tokens"][0, n].sum()
        torch.testing.assert_close(found[n], wanted)
    nothing = torch.zeros(2, B, T)
    assert torch.equal(chosen_nll(nothing, nothing), torch.zeros(B))


# ---- beta-perfect alignment (DESIGN section 7)

DRAFTS, ANSWERS = ["a", "b"], ["x", "y", "z"]


def two_tables(fit: dict[str, Any]) -> System:
    """Question -> draft -> answer, uniform to begin with."""
    prompts = {"draft": "{{ question }}", "answer": "{{ draft }}"}
    graph = {
        "sysgraph": 1,
        "name": "tables",
        "models": {
            "first": {"kind": "table", "values": DRAFTS},
            "second": {"kind": "table", "values": ANSWERS, "contexts": DRAFTS},
        },
        "nodes": {
            "question": {"kind": "input"},
            **{
                node: {"kind": "lm", "model": model, "prompt": prompts[node]}
                for node, model in (("draft", "first"), ("answer", "second"))
            },
        },
        "edges": ["question -> draft", "draft -> answer"],
        "outputs": ["answer"],
        "fit": fit,
    }
    return System(sysgraph.compile(sysgraph.load(json.dumps(graph, indent=1))), device="cpu")


@pytest.mark.parametrize(("beta", "epsilon"), [(1.0, 0.0), (0.5, 0.0), (0.5, 0.1)])
def test_minimum_is_beta_perfect_alignment(beta: float, epsilon: float) -> None:
    """On all pairs of traces, each preferred with Bradley-Terry odds: (p_w / p_l)^beta = the odds.

    Label smoothing stands for labels that flip: it aligns with the odds after the flips.
    """
    system = two_tables({"beta": beta, "label_smoothing": epsilon})
    traces = [
        Trace({"question": "q"}, {"draft": Completion(d), "answer": Completion(a)}, ("answer",))
        for d, a in itertools.product(DRAFTS, ANSWERS)
    ]
    score = torch.linspace(-0.9, 0.9, len(traces), dtype=torch.float64)
    pairs = torch.tensor(list(itertools.permutations(range(len(traces)), 2)))
    preferred = torch.sigmoid(score[pairs[:, 0]] - score[pairs[:, 1]])
    reference = torch.stack(list(system.log_prob(traces, reference=True).values()), -1)
    assert torch.allclose(reference.sum(-1).exp(), torch.tensor(1 / len(traces)))
    parameters = [p for m in system.trained() for p in system.parameters(m).values()]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=200, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        policy = torch.stack(list(system.log_prob(traces).values()), -1)  # (S, T)
        compared = torch.ones(len(pairs), policy.shape[-1], dtype=torch.bool)
        ratios = log_ratios(policy[pairs.T], reference[pairs.T], compared)
        total = direct_loss(ratios, torch.ones_like(ratios), system.program.fit) @ preferred.float()
        total.backward()
        return total

    optimizer.step(loss)
    p = torch.stack(list(system.log_prob(traces).values()), -1).sum(-1).double().detach()
    if not epsilon:
        odds = score[pairs[:, 0]] - score[pairs[:, 1]]
        assert float(p.exp().sum()) == pytest.approx(1, abs=1e-6)
        torch.testing.assert_close(
            beta * (p[pairs[:, 0]] - p[pairs[:, 1]]), odds, atol=2e-3, rtol=0
        )
    else:
        # With flips, odds are not Bradley-Terry any more; brute force over a free categorical.
        free = torch.zeros(len(traces), dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS([free], max_iter=500, line_search_fn="strong_wolfe")
        flipped = preferred * (1 - epsilon) + (1 - preferred) * epsilon

        def brute() -> Tensor:
            solver.zero_grad()
            margin = beta * (free[pairs[:, 0]] - free[pairs[:, 1]])
            total = -(flipped * torch.nn.functional.logsigmoid(margin)).sum()
            total.backward()
            return total

        solver.step(brute)
        torch.testing.assert_close(p, free.detach().log_softmax(0), atol=2e-3, rtol=0)
