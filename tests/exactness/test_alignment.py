"""Direct, minimized over a whole population, aligns perfectly (arXiv 2502.17721, section 3).

From a uniform reference, with every pair of outcomes weighted by its preference probability, the
optimum has (p(s_w) / p(s_l))^beta = P(s_w preferred) / P(s_l preferred).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, Fit, System, Trace
from sysgraph.objectives import direct_loss, log_ratios, node_losses
from sysgraph.traces.pair import Pair
from sysgraph.training.direct import Observed
from sysgraph.training.pairs import tabulate
from tests.losses import losses_of

# Log-probabilities leave the engine as float32, so the minimum is found to rounding (5e-8 here),
# not closer; on another machine that may be a few times more.
TOLERANCE = 1e-5
BETA = 0.5

ONE = """
sysgraph: 1
name: one
models: {m: {kind: table, values: [a, b, c, d]}}
nodes: {x: {kind: input}, z: {kind: lm, model: m, prompt: "{{ x }}"}}
edges: [x -> z]
outputs: [z]
fit: {beta: 0.5}
"""

TWO = """
sysgraph: 1
name: two
models:
  first: {kind: table, values: [y1, y2, y3]}
  second: {kind: table, values: [z1, z2], contexts: [y1, y2, y3]}
nodes:
  x: {kind: input}
  y: {kind: lm, model: first, prompt: "{{ x }}"}
  z: {kind: lm, model: second, prompt: "{{ y }}"}
edges: [x -> y, y -> z]
outputs: [z]
fit: {beta: 0.5}
"""


@dataclass
class Population:
    """Every outcome of a system with a utility; every ordered pair with its Bradley-Terry weight.

    P(i preferred to j) = sigmoid(utility_i - utility_j).
    """

    system: System
    traces: list[Trace]
    utility: Tensor  # (S,)

    def __post_init__(self) -> None:
        self.index = torch.tensor(list(itertools.permutations(range(len(self.traces)), 2))).T
        gap = self.utility[self.index[0]] - self.utility[self.index[1]]
        self.weights = torch.sigmoid(gap)  # (P,)

    def log_prob(self, *, reference: bool = False) -> Tensor:
        """[S, T], float64."""
        terms = self.system.log_prob(self.traces, reference=reference)
        return torch.stack(list(terms.values()), -1).double()

    def arguments(self) -> tuple[Tensor, Tensor, Tensor]:
        """Ratios [2, P, T], tokens [2, P, T] and compared [P, T] of all pairs."""
        policy, before = self.log_prob()[self.index], self.log_prob(reference=True)[self.index]
        compared = torch.ones(policy.shape[1:], dtype=torch.bool)
        return log_ratios(policy, before, compared), torch.ones_like(policy), compared

    def minimize(self, loss: Callable[[], Tensor]) -> None:
        weights = [p for m in self.system.trained() for p in self.system.parameters(m).values()]
        optimizer = torch.optim.LBFGS(
            weights,
            max_iter=300,
            line_search_fn="strong_wolfe",
            tolerance_grad=1e-9,
            tolerance_change=0,
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            value = (self.weights * loss()).sum() / self.weights.sum()
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimizer.step(closure)

    def misalignment(self) -> float:
        """Largest distance of beta * log odds of the policy from the preferences' log odds."""
        log_p = self.log_prob().sum(-1).detach()
        odds = BETA * (log_p[self.index[0]] - log_p[self.index[1]])
        return float((odds - torch.logit(self.weights)).abs().max())


def population(
    graph: str, rows: list[dict[str, str]], utility: list[float], *overrides: str
) -> Population:
    program = sysgraph.compile(sysgraph.load(graph, overrides))
    traces = [
        Trace({"x": "x"}, {n: Completion(t) for n, t in row.items()}, program.outputs)
        for row in rows
    ]
    return Population(
        System(program, device="cpu"), traces, torch.tensor(utility, dtype=torch.float64)
    )


@pytest.fixture
def one() -> Population:
    return population(ONE, [{"z": z} for z in "abcd"], [0.0, 0.7, -0.4, 1.1])


@pytest.fixture
def two() -> Population:
    return pairs_of_two()


def pairs_of_two(*overrides: str) -> Population:
    rows = [{"y": y, "z": z} for y in ("y1", "y2", "y3") for z in ("z1", "z2")]
    return population(TWO, rows, [0.3, -0.5, 0.9, 0.1, -0.2, 0.6], *overrides)


@pytest.mark.parametrize("name", ["one", "two"])
def test_direct_is_beta_perfect(name: str, request: pytest.FixtureRequest) -> None:
    whole: Population = request.getfixturevalue(name)
    fit = whole.system.program.fit
    assert whole.misalignment() > 0.5  # a uniform policy is not aligned

    def loss() -> Tensor:
        ratios, tokens, _ = whole.arguments()
        return direct_loss(ratios, tokens, fit)

    whole.minimize(loss)
    assert whole.misalignment() < TOLERANCE
    # On the probabilities themselves: p is proportional to exp(utility / beta).
    torch.testing.assert_close(
        whole.log_prob().sum(-1).exp().detach(),
        torch.softmax(whole.utility / BETA, 0),
        rtol=1e-4,
        atol=0,
    )


LOSSES = ["sigmoid", "ipo", "nca_pair", "apo_down", "sft", "{discopop: 2, sft: 0.5}"]


@pytest.mark.parametrize("credit", ["system", "node"])
@pytest.mark.parametrize("loss", LOSSES)
def test_training_takes_the_same_loss(loss: str, credit: str) -> None:
    """What is trained on, where terms that agree may cancel, is the loss of all of them."""
    two = pairs_of_two(f"fit.loss={loss}", f"fit.credit={credit}")
    torch.manual_seed(0)
    for model in two.system.trained():
        for p in two.system.parameters(model).values():
            with torch.no_grad():
                p.add_(torch.randn_like(p))
    i, j = two.index.tolist()
    pairs = [Pair(two.traces[a], two.traces[b], "") for a, b in zip(i, j, strict=True)]
    table = tabulate(two.system, pairs)
    cancels = loss in ("sigmoid", "sft") or ("sft" in loss and credit == "system")
    cancels &= (loss, credit) != ("sft", "node")
    assert bool(table.compared.all()) != cancels
    reference = torch.zeros(len(table.requests) + 1)
    reference[:-1] = two.system.score(table.requests, reference=True)
    fit = two.system.program.fit
    trained, _ = losses_of(two.system, Observed(two.system, table, range(len(pairs)), reference))
    ratios, tokens, compared = two.arguments()
    nll = -two.log_prob()[two.index[0]]  # (P, T); a value has one token, so a trace has two
    if credit == "system":
        wanted = direct_loss(ratios, tokens, fit, nll.sum(-1) / 2)
    else:  # where the sides agree, a loss of the margin alone is a constant that is left out
        compared = table.compared if fit.cancels else compared
        wanted = node_losses(ratios, tokens, compared, fit, nll)
    torch.testing.assert_close(trained.double(), wanted, rtol=1e-5, atol=1e-6)


def test_aligning_each_node_alone_is_not_perfect(two: Population) -> None:
    """`credit: node`: z's preferences given y1 and y2 are compared as if y were the same."""
    fit = Fit(beta=BETA, credit="node")

    def loss() -> Tensor:
        ratios, tokens, compared = two.arguments()
        return node_losses(ratios, tokens, compared, fit)

    two.minimize(loss)
    assert two.misalignment() > 0.1
