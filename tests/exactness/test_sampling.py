"""What is drawn from tables has the declared probabilities."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

import sysgraph
from sysgraph import Completion

DRAWS = 3000


@pytest.mark.parametrize("seed", range(4))
def test_chi_square(seed: int, random_world: Callable[[int], Any]) -> None:
    world = random_world(seed)
    program = world.program()
    expected = Counter[tuple[tuple[str, str], ...]]()
    for texts, _, p in world.outcomes():
        expected[tuple(sorted(texts.items()))] += p
    traces = sysgraph.System(program, device="cpu").sample({"question": "q"}, n=DRAWS, seed=seed)
    drawn = Counter(
        tuple(sorted((n, v.text) for n, v in t.values.items() if isinstance(v, Completion)))
        for t in traces
    )
    assert all(expected[outcome] > 0 for outcome in drawn)
    # Outcomes expected fewer than 5 times are pooled, as the test's approximation wants.
    often = [o for o, p in expected.items() if p * DRAWS >= 5]
    observed = [drawn[o] for o in often]
    wanted = [expected[o] * DRAWS for o in often]
    if sum(wanted) < DRAWS - 5:
        observed.append(DRAWS - sum(observed))
        wanted.append(DRAWS - sum(wanted))
    scaled = np.array(wanted) * sum(observed) / sum(wanted)
    assert len(scaled) > 2
    assert chisquare(observed, scaled).pvalue > 1e-3
    # The test has the power to fail: with the outcomes' probabilities exchanged, it does.
    assert chisquare(observed, np.roll(scaled, 1)).pvalue < 1e-6


def test_a_value_of_probability_0_is_never_drawn() -> None:
    program = sysgraph.compile(
        sysgraph.load("""
sysgraph: 1
name: edges
models: {m: {kind: table, values: [a, b, c], probs: [[0, 1, 0]]}}
nodes: {question: {kind: input}, answer: {kind: lm, model: m, prompt: "{{ question }}"}}
edges: [question -> answer]
outputs: [answer]
""")
    )
    traces = sysgraph.System(program, device="cpu").sample({"question": "q"}, n=2000, seed=1)
    assert {trace["answer"] for trace in traces} == {"b"}
