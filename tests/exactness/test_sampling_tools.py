"""Sampling where the text that tools read is latent: a choice of a tool gates, a list fans out.

The sum is over every text, in closed form, in float64; what the tools say is written out here.
"""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

import sysgraph
from sysgraph import Completion, Trace
from sysgraph.latent import Trajectory
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair

from .test_sampling_gates import BETA, moved, objective

DRAFTS = ("ant", "bee", "cow")
PARTS = {"ant": ["p"], "bee": ["p", "q"], "cow": ["q"]}
GRAPH = """
name: g
models:
  asker: {kind: table, contexts: [x], values: [ant, bee, cow], probs: [[0.5, 0.3, 0.2]]}
  noter: {kind: table, contexts: [p, q], values: [u, v], probs: [[0.4, 0.6], [0.9, 0.1]]}
  writer: {kind: table, contexts: [ant, bee, cow], values: [u, v],
           probs: [[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]]}
  crier: {kind: table, contexts: [ant, bee, cow], values: [u, v],
          probs: [[0.5, 0.5], [0.5, 0.5], [0.6, 0.4]]}
nodes:
  x: {kind: input}
  draft: {kind: lm, model: asker, prompt: "{{ x }}"}
  size: {kind: tool, tool: size, args: {text: draft}, returns: choice, options: [big, small]}
  parts: {kind: tool, tool: parts, args: {text: draft}, returns: list, min_items: 1, max_items: 2}
  note: {kind: lm, for_each: {part: parts}, model: noter, prompt: "{{ part }}"}
  loud: {kind: lm, model: crier, prompt: "{{ draft }}", when: {size: big}}
  still: {kind: lm, model: writer, prompt: "{{ draft }}", when: {size: small}}
  said: {kind: select}
edges:
  - x -> draft
  - draft -> size, parts
  - parts -> note
  - draft, size -> loud, still
  - loud, still -> said
outputs: [said]
fit: {beta: %s, observed: [said]}
"""
TOOLS = {
    "size": lambda text: "big" if text == "cow" else "small",
    "parts": lambda text: PARTS[text],
}


def test_every_trajectory_sums_to_the_marginal() -> None:
    program = sysgraph.compile(sysgraph.load(GRAPH % BETA), tools=TOOLS)
    assert program.objective.latent[:1] == ("draft",)
    system = moved(program, 3)
    before = {m: torch.tensor(program.models[m].probs).double().log() for m in program.models}
    traces = [complete(program, Trace({"x": "x"}, {"said": s}, ("said",))) for s in "uv"]
    made = objective(system, Pair(*traces, "row"))
    gaps = made.table.gaps[0]
    assert gaps is not None
    made._drawn[0] = tuple(
        {
            frozenset(one.items()): Trajectory(one)
            for draft, *notes in itertools.product(DRAFTS, "uv", "uv")
            for one in [
                {"draft": Completion(draft)}
                | {
                    f"note[{i}]": Completion(note)
                    for i, note in enumerate(notes[: len(PARTS[draft])], 1)
                    if f"note[{i}]" in gaps.plan.latent
                }
            ]
        }.values()
    )
    losses, _ = made.losses([0])
    after = {m: system.parameters(m)["logits"] for m in system.trained()}
    leaves = {m: t.detach().double().requires_grad_(True) for m, t in after.items()}

    def log_p(tables: dict[str, Tensor], said: str) -> Tensor:
        rows = {m: t.log_softmax(-1) for m, t in tables.items()}
        terms = []
        for i, draft in enumerate(DRAFTS):
            who = "crier" if draft == "cow" else "writer"
            terms.append(rows["asker"][0, i] + rows[who][i, "uv".index(said)])
        return torch.stack(terms).logsumexp(0)

    full = {**{m: t for m, t in before.items() if m not in leaves}, **leaves}
    moves = [log_p(full, s) - log_p(before, s) for s in "uv"]
    loss = -logsigmoid(BETA * (moves[0] - moves[1]))
    assert losses.sum().item() == pytest.approx(loss.item(), rel=1e-5)
    names = ["asker", "writer", "crier"]
    found = torch.autograd.grad(losses.sum(), [after[m] for m in names])
    wanted = torch.autograd.grad(loss, [leaves[m] for m in names])
    for model, slope, oracle in zip(names, found, wanted, strict=True):
        torch.testing.assert_close(slope.double(), oracle, rtol=1e-4, atol=4e-6, msg=model)
