"""Sampling: parts of more rows, and choices at their models' temperatures."""

import json
import math
from typing import Any

import pytest
import torch

import sysgraph
from sysgraph import InputError, RunError, System
from sysgraph.engines import Draw, Search
from sysgraph.system import occurrences_of

GRAPH = """
sysgraph: 1
name: letters
models:
  t: {kind: table, values: [a, b, c, d, e, f, g, h]}
nodes:
  x: {kind: input}
  y: {kind: lm, model: t, prompt: "{{ x }}"}
edges: [x -> y]
outputs: [y]
"""


def test_equal_inputs_in_several_parts_are_told_apart() -> None:
    program = sysgraph.compile(sysgraph.load(GRAPH))
    system = sysgraph.System(program)
    rows = [{"x": x} for x in "ppqpqp"]
    occurrences = occurrences_of(program, rows)
    assert occurrences == [0, 1, 0, 2, 1, 3]
    whole = system.sample(rows, n=6, seed=3)
    for part in (slice(0, None, 2), slice(1, None, 2), slice(2, 5)):
        sampled = system.sample(rows[part], n=6, seed=3, occurrences=occurrences[part])
        expected = [whole[6 * i : 6 * i + 6] for i in range(len(rows))][part]
        assert sampled == [trace for several in expected for trace in several]
    of_p = [tuple(t["y"] for t in whole[6 * i : 6 * i + 6]) for i in (0, 1, 3, 5)]
    assert len(set(of_p)) == 4


OPTIONS = ("red ball big", "blue cube tiny", "big")


def router(*, at: float | None = None, **model: Any) -> System:
    """A choice that `model` makes; `at`: the temperature that the node has it made at."""
    graph = {
        "sysgraph": 1,
        "name": "router",
        "models": {"r": {"train": "frozen", **model}},
        "nodes": {
            "x": {"kind": "input"},
            "route": {
                "kind": "choice",
                "model": "r",
                "prompt": "{{ x }}",
                "options": list(OPTIONS),
                "temperature": at,
            },
        },
        "edges": ["x -> route"],
        "outputs": ["route"],
    }
    return System(sysgraph.compile(sysgraph.load(json.dumps(graph))), device="cpu")


P = [0.2, 0.1, 0.3]
TABLE = {"kind": "table", "values": [*OPTIONS, "else"], "probs": [[*P, 0.4]]}
TOY = {"kind": "causal_lm", "id": "toy:specialist-color"}


def test_the_options_share_all_probability() -> None:
    system = router(**TABLE)
    traces = [sysgraph.Trace({"x": "q"}, {"route": o}, ("route",)) for o in OPTIONS]
    p = system.log_prob(traces)["route"].exp().tolist()
    assert p == pytest.approx([value / sum(P) for value in P], rel=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 2.0])
def test_a_language_model_chooses_at_its_temperature(temperature: float) -> None:
    system = router(**TOY, temperature=temperature)
    question = "what is bar fam hik ?"
    traces = [sysgraph.Trace({"x": question}, {"route": o}, ("route",)) for o in OPTIONS]
    log_p = system.log_prob(traces)["route"].tolist()
    assert sum(map(math.exp, log_p)) == pytest.approx(1, abs=1e-5)
    drawn = [t["route"] for t in system.sample({"x": question}, n=1000)]
    if temperature == 0:
        assert set(drawn) == {OPTIONS[log_p.index(max(log_p))]}
        return
    weights = [math.exp(value / temperature) for value in log_p]
    for option, weight in zip(OPTIONS, weights, strict=True):
        share = drawn.count(option) / len(drawn)
        assert share == pytest.approx(weight / sum(weights), abs=0.065)  # four standard errors


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_a_node_has_a_temperature_of_its_own_whatever_the_model(at: float) -> None:
    drawn = [t["route"] for t in router(**TABLE, at=at).sample({"x": "q"}, n=1000)]
    weights = [p ** (1 / at) if at else float(p == max(P)) for p in P]
    for option, weight in zip(OPTIONS, weights, strict=True):
        share = drawn.count(option) / len(drawn)
        assert share == pytest.approx(weight / sum(weights), abs=0.065)  # four standard errors
    system = router(**TOY, temperature=2.0, at=0)
    assert len({t["route"] for t in system.sample({"x": "what is bar fam hik ?"}, n=20)}) == 1


def test_search_gives_the_likeliest_options() -> None:
    system = router(**{**TABLE, "probs": [[0.2, 0.0, 0.3, 0.5]]})
    found = system.search([Search("r", "q", k, 3, options=OPTIONS) for k in (1, 3)])
    assert [[c.text for c in one] for one in found] == [["big"], ["big", "red ball big"]]


def test_draws_of_choices_and_texts_together() -> None:
    system = router(**TABLE)
    draws = [Draw("r", "q", seed, OPTIONS if seed % 2 else ()) for seed in range(40)]
    together = [c.text for c in system.draw(draws)]
    assert together == [system.draw([draw])[0].text for draw in draws]
    assert set(together[1::2]) <= set(OPTIONS)
    assert "else" in together[::2]


def test_no_option_has_any_probability() -> None:
    system = router(**{**TABLE, "probs": [[0.0, 0.0, 0.0, 1.0]]})
    with pytest.raises(
        RunError, match=r"gives none of the options red ball big, .* in the context"
    ):
        system.sample({"x": "q"})


@pytest.mark.parametrize("options", [OPTIONS, ()])
def test_a_table_that_diverged(options: tuple[str, ...]) -> None:
    system = router(**{**TABLE, "train": "full"})
    with torch.no_grad():
        system.parameters("r")["logits"].fill_(torch.nan)
    for ask in (
        lambda: system.draw([Draw("r", "why", 0, options)]),
        lambda: system.search([Search("r", "why", 1, 1, options=options)]),
    ):
        with pytest.raises(RunError, match=r"'r'.* are NaN .*training diverged"):
            ask()


def test_a_value_that_is_no_option() -> None:
    odd = sysgraph.Trace({"x": "q"}, {"route": "bigg"}, ("route",))
    with pytest.raises(InputError, match=r"trace 0: route: 'bigg' is no option .* mean `big`"):
        router(**TABLE).log_prob([odd])
