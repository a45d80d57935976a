"""The compiled log p of table systems, against enumeration that knows nothing of sysgraph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import sysgraph
from sysgraph import Program, Trace
from sysgraph.traces.course import complete

SEEDS = range(24)
ROUNDING = 2e-6  # float32 log-probs, a handful of terms


@pytest.mark.parametrize("seed", SEEDS)
def test_every_trace_has_its_product_and_all_sum_to_one(
    seed: int,
    random_world: Callable[[int], Any],
    as_trace: Callable[[Program, dict[str, str]], Trace],
) -> None:
    world = random_world(seed)
    program = world.program()
    outcomes = list(world.outcomes())
    traces = [as_trace(program, texts) for texts, _, _ in outcomes]
    terms = sysgraph.System(program, device="cpu").log_prob(traces)
    found = torch.stack(list(terms.values())).double().sum(0).exp().detach().numpy()
    expected = np.array([p for _, _, p in outcomes])
    np.testing.assert_allclose(found, expected, rtol=ROUNDING * len(terms), atol=1e-12)
    assert found.sum() == pytest.approx(1, abs=ROUNDING * len(terms))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_hangs_on_a_rejected_text_does_not_exist(
    seed: int,
    random_world: Callable[[int], Any],
    as_trace: Callable[[Program, dict[str, str]], Trace],
) -> None:
    world = random_world(seed)
    program = world.program()
    for texts, gone, _ in world.outcomes():
        trace = complete(program, as_trace(program, texts))
        assert trace.nonexistent == gone
        assert trace.failed == bool(gone.intersection(program.outputs))


def test_the_random_systems_have_everything(random_world: Callable[[int], Any]) -> None:
    """What the tests above range over: a change that drops a feature from them is noticed."""
    worlds = [random_world(seed) for seed in SEEDS]
    nodes = [node for world in worlds for node in world.nodes]
    assert {node.kind for node in nodes} == {"lm", "reject", "default"}
    assert any(node.keys for node in nodes if node.kind == "lm")
    assert any(node.keys for node in nodes if node.kind == "reject")
    assert {len(world.nodes) for world in worlds} == {2, 3, 4, 5}
    assert any(gone for world in worlds for _, gone, p in world.outcomes() if p > 0)
    used = [[m for n in w.nodes for m in set(n.models)] for w in worlds]
    assert any(len(models) > len(set(models)) for models in used)  # one model, several nodes


def test_a_rejected_branch_ends_there(
    as_trace: Callable[[Program, dict[str, str]], Trace],
) -> None:
    """The smallest case, by hand: p(ok)·p(answer | ok) + p(junk) = 1."""
    program = sysgraph.compile(
        sysgraph.load("""
sysgraph: 1
name: gate
models:
  m: {kind: table, values: [ok u, junk], probs: [[0.75, 0.25]]}
  a: {kind: table, values: ["yes", "no"], contexts: [u], probs: [[0.5, 0.5]]}
parsers:
  p: {kind: regex, pattern: "ok (.+)", on_failure: reject}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}"}
  read: {kind: parse, parser: p}
  answer: {kind: lm, model: a, prompt: "{{ read }}"}
edges: [question -> raw, raw -> read, read -> answer]
outputs: [answer]
""")
    )
    rows = [{"raw": "ok u", "answer": "yes"}, {"raw": "ok u", "answer": "no"}, {"raw": "junk"}]
    terms = sysgraph.System(program, device="cpu").log_prob([as_trace(program, r) for r in rows])
    found = {name: term.exp().tolist() for name, term in terms.items()}
    assert found == {
        "raw": pytest.approx([0.75, 0.75, 0.25]),
        "read": [1, 1, 1],
        "answer": pytest.approx([0.5, 0.5, 1]),
    }
