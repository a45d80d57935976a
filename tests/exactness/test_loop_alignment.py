"""A loop that its critic ends, trained on every preference over its answers: it aligns perfectly.

From a reference under which all answers are equally likely, p(z_w) / p(z_l) to the power of beta
equals the preference odds (arXiv 2502.17721, section 3): by Direct on complete traces, which end
after different turns, and by Sampling on the answers alone.
"""

import itertools
import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, System, Trace
from sysgraph.engines.requests import requests
from sysgraph.objectives import direct_loss, sampling_loss
from sysgraph.traces.course import complete

from .test_sampling_alignment import least, misalignment, ordered, utilities

BETA = 0.5
DRAFTS, VERDICTS, ANSWERS = ("u", "w"), ("ok", "bad"), ("z0", "z1", "z2")
SPEC = {
    "name": "refine",
    "models": {
        "writer": {"kind": "table", "values": DRAFTS, "contexts": ["", *DRAFTS]},
        "critic": {"kind": "table", "values": VERDICTS, "contexts": DRAFTS},
        "judge": {"kind": "table", "values": ANSWERS, "contexts": DRAFTS},
    },
    "nodes": {
        "x": {"kind": "input"},
        "draft": {"kind": "lm", "model": "writer", "prompt": "{{ draft }}"},
        "verdict": {
            "kind": "choice",
            "model": "critic",
            "prompt": "{{ draft }}",
            "options": VERDICTS,
        },
        "answer": {"kind": "lm", "model": "judge", "prompt": "{{ draft }}"},
    },
    "edges": ["draft -> verdict", "draft -> answer"],
    "loops": {
        "refine": {
            "repeat": 2,
            "until": {"verdict": "ok"},
            "nodes": ["draft", "verdict"],
            "carry": ["draft -> draft"],
        }
    },
    "outputs": ["answer"],
    "fit": {"beta": BETA},
}


def trajectories() -> list[dict[str, str]]:
    """What may come before an answer: one turn that is found ok, or two."""
    short = [{"draft[1]": d, "verdict[1]": "ok"} for d in DRAFTS]
    long = [
        {"draft[1]": d, "verdict[1]": "bad", "draft[2]": e, "verdict[2]": v}
        for d, e, v in itertools.product(DRAFTS, DRAFTS, VERDICTS)
    ]
    return short + long


class Refining:
    """The system, and log p of every answer (row) with all that may come before it (column)."""

    def __init__(self) -> None:
        self.system = System(sysgraph.compile(sysgraph.load(json.dumps(SPEC))), device="cpu")
        program, before = self.system.program, trajectories()
        self.columns = len(before)
        self.flat, self.owner = [], []
        for at, (z, y) in enumerate(itertools.product(ANSWERS, before)):
            values = {name: Completion(text) for name, text in {**y, "answer": z}.items()}
            trace = complete(program, Trace({"x": "x"}, values, ("answer",)))
            found = [request for _, request in requests(program, trace)]
            self.flat += found
            self.owner += [at] * len(found)

    def joint(self, *, reference: bool = False) -> Tensor:
        scores = self.system.score(self.flat, reference=reference).double()
        total = torch.zeros(len(ANSWERS) * self.columns, dtype=torch.float64)
        return total.index_add(0, torch.tensor(self.owner), scores).view(-1, self.columns)

    def tables(self) -> list[Tensor]:
        return [self.system.parameters(m)["logits"] for m in ("writer", "critic", "judge")]

    def answers(self) -> Tensor:
        """Log p(z), by hand from the tables."""
        writer, critic, judge = (table.softmax(-1) for table in self.tables())
        first, again, ok = writer[0], writer[1:], critic[:, 0]
        last = first * ok + (first * (1 - ok)) @ again
        return (last @ judge).log()


def minimize(world: Refining, loss: Callable[[], Tensor]) -> float:
    solver = torch.optim.LBFGS(
        world.tables(), max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-9
    )

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(closure)  # type: ignore[no-untyped-call]
    return loss().item()


@pytest.mark.parametrize("method", ["direct", "sampling"])
def test_it_is_beta_perfect(method: str) -> None:
    world, utility = Refining(), utilities(len(ANSWERS))
    before, fit = world.joint(reference=True), world.system.program.fit
    assert before.exp().sum() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(before.logsumexp(1), world.answers().detach(), atol=1e-6, rtol=0)
    assert misalignment(world.answers(), utility) > 0.5  # the reference is not aligned
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for table in world.tables():
            table.add_(0.3 * torch.randn(table.shape, generator=generator).double())
    of_trace = utility if method == "sampling" else utility.repeat_interleave(world.columns)
    pairs = ordered(len(of_trace))
    share = torch.sigmoid(of_trace[pairs[0]] - of_trace[pairs[1]])

    def loss() -> Tensor:
        joint = world.joint()
        if method == "sampling":
            losses = sampling_loss(joint[pairs], before[pairs], torch.ones(pairs.shape), fit)
        else:
            ratios = (joint - before).flatten()[pairs].unsqueeze(-1)  # (2, P, 1)
            losses = direct_loss(ratios, torch.ones_like(ratios), fit)
        return 2 * (share * losses).mean()

    found = minimize(world, loss)
    assert found == pytest.approx(least(of_trace, pairs), abs=1e-6)
    assert misalignment(world.answers(), utility) < 1e-4
