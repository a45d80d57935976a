"""What is held out, and which weights are kept: preference training over-optimizes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import RunError, Scorer, Trace
from sysgraph.support.progress import Reporter
from sysgraph.training.batches import batch_visits, hold_out, visits_drawn
from sysgraph.training.pairs import split_pairs

Weights = Callable[[Path], dict[str, Tensor]]
Metrics = Callable[[Path], list[dict[str, Any]]]
INPUTS = [f"x{i}" for i in range(20)]


def coin(**fit: Any) -> sysgraph.Graph:
    """One table for every input: what is learned on some inputs holds for all."""
    graph = {
        "sysgraph": 1,
        "name": "coin",
        "models": {"m": {"kind": "table", "values": ["a", "b"]}},
        "nodes": {"x": {"kind": "input"}, "y": {"kind": "lm", "model": "m", "prompt": "{{ x }}"}},
        "edges": ["x -> y"],
        "outputs": ["y"],
        "fit": {"batch_size": 4, "learning_rate": 0.2, "lr_scheduler": "constant", **fit},
    }
    return sysgraph.load(json.dumps(graph))


def pairs_file(write_pairs: Callable[..., Path], held: Sequence[str], fraction: float) -> Path:
    """Every input prefers a to b, but of those that will be held out, `held` says which it is."""
    keys = [repr([("x", x)]) for x in INPUTS]
    is_held = dict(zip(INPUTS, hold_out(keys, fraction, 0), strict=True))
    better = dict(zip((x for x in INPUTS if is_held[x]), held, strict=True))
    rows = []
    for x in INPUTS:
        chosen = better.get(x, "a")
        rows.append(({"x": x}, {"y": chosen}, {"y": "b" if chosen == "a" else "a"}))
    return write_pairs(rows)


def test_where_held_out_pairs_say_the_opposite_nothing_is_learned(
    write_pairs: Callable[..., Path], tmp_path: Path, quiet: Reporter, weights: Weights
) -> None:
    data = pairs_file(write_pairs, "bbbb", 0.2)
    graph = coin(data=str(data), eval_fraction=0.2, steps=10, eval_every=2)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert weights(tmp_path / "run")["m/logits"].tolist() == [[0, 0]]
    graph = coin(data=str(data), eval_fraction=0, steps=10)
    sysgraph.fit(graph, output=tmp_path / "all", reporter=quiet)
    assert weights(tmp_path / "all")["m/logits"][0, 0] > 0.5, "without, the last weights are kept"


def test_the_kept_weights_are_those_of_the_lowest_held_out_loss(
    write_pairs: Callable[..., Path],
    tmp_path: Path,
    quiet: Reporter,
    weights: Weights,
    metrics: Metrics,
) -> None:
    """Three of four held-out inputs agree: their loss falls until the odds are 3, then rises."""
    data = pairs_file(write_pairs, "aaab", 0.2)
    graph = coin(data=str(data), eval_fraction=0.2, steps=30, eval_every=3, beta=0.5)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    losses = {m["step"]: m["eval_loss"] for m in metrics(tmp_path / "run") if "eval_loss" in m}
    best = min(losses, key=lambda step: losses[step])
    assert losses[0] > losses[best] < losses[30]
    logits = weights(tmp_path / "run")["m/logits"][0]
    margin = 0.5 * (logits[0] - logits[1])
    loss = -(3 * margin.sigmoid().log() + (-margin).sigmoid().log()) / 4
    assert loss.item() == pytest.approx(losses[best], rel=1e-5)
    sysgraph.fit(
        coin(data=str(data), eval_fraction=0.2, steps=best, eval_every=3, beta=0.5),
        output=tmp_path / "short",
        reporter=quiet,
    )
    assert torch.equal(weights(tmp_path / "short")["m/logits"][0], logits)


@pytest.mark.parametrize("seed", range(5))
def test_no_input_is_on_both_sides(write_pairs: Callable[..., Path], seed: int) -> None:
    rows = [({"x": x}, {"y": "a"}, {"y": "b"}) for x in INPUTS * 3]
    pairs = sysgraph.load_pairs(sysgraph.compile(coin()), write_pairs(rows))
    sides = split_pairs(pairs, 0.25, seed)
    inputs = {side: {pair.chosen.inputs["x"] for pair in sides[side]} for side in sides}
    assert len(inputs["held_out"]) == 5
    assert len(sides["held_out"]) == 15
    assert inputs["train"] | inputs["held_out"] == set(INPUTS)
    assert not inputs["train"] & inputs["held_out"]


def test_what_is_held_out() -> None:
    keys = list("aabbc")
    assert sum(hold_out(keys, 0, 0)) == 0
    assert sum(hold_out(["a", "a"], 0.5, 0)) == 0, "the only input stays"
    assert len({k for k, h in zip(keys, hold_out(keys, 1e-9, 0), strict=True) if h}) == 1
    assert len({k for k, h in zip(keys, hold_out(keys, 0.999, 0), strict=True) if h}) == 2
    assert hold_out(keys, 0.4, 1) == hold_out(keys, 0.4, 1)
    order = [hold_out(list("abcdefgh"), 0.5, seed) for seed in range(4)]
    assert len({tuple(held) for held in order}) > 1


def test_every_epoch_takes_every_row_once() -> None:
    visits = [visit for step in range(9) for visit in batch_visits(6, 4, step, 3)]
    assert [visit // 6 for visit in visits] == [i // 6 for i in range(36)]
    taken = [visit % 6 for visit in visits]
    epochs = [taken[i : i + 6] for i in range(0, 36, 6)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert batch_visits(1, 3, 5, 0) == [15, 16, 17], "batches larger than the data repeat it"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Every input twice, with another note for the scorer."""
    rows = [{"x": x, "note": note} for note in ("one", "two") for x in INPUTS]
    (tmp_path / "inputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "inputs.jsonl"


def preferring(better: Callable[[Trace], str]) -> Scorer:
    return Scorer("preferring", lambda ts: [float(t["y"] == better(t)) for t in ts], perfect=1)


def test_the_best_round_is_kept(
    inputs: Path, tmp_path: Path, quiet: Reporter, weights: Weights, metrics: Metrics
) -> None:
    """Where held-out inputs want the opposite, the best round is none; else it is the last."""
    held = {
        x
        for x, h in zip(INPUTS, hold_out([repr([("x", x)]) for x in INPUTS], 0.2, 0), strict=True)
        if h
    }
    graph = coin(inputs=str(inputs), scorer="none", rounds=4, eval_fraction=0.2, steps=5)
    kept = {}
    for name, scorer in (
        ("opposite", preferring(lambda t: "b" if t.inputs["x"] in held else "a")),
        ("same", preferring(lambda t: "a")),
    ):
        run = tmp_path / name
        # Held-out pairs would stop the opposite one within each round: there are none to see.
        changed = graph.model_copy(
            update={"fit": graph.fit.model_copy(update={"eval_every": 5, "beta": 0.1})}
        )
        sysgraph.fit(changed, output=run, scorer=scorer, reporter=quiet)
        kept[name] = weights(run)["m/logits"][0]
        scores = [m["score/held_out"] for m in metrics(run) if "score/held_out" in m]
        assert len(scores) == 5
        for file in sorted((run / "rounds").rglob("*.jsonl")):
            asked = {json.loads(line)["inputs"]["x"] for line in file.read_text().splitlines()}
            assert asked <= held if file.stem == "held_out" else not asked & held
    assert kept["opposite"].tolist() == [0, 0]
    assert kept["same"][0] - kept["same"][1] > 2


def test_rounds_in_which_no_samples_differ(
    inputs: Path, tmp_path: Path, quiet: Reporter, weights: Weights, metrics: Metrics
) -> None:
    graph = coin(inputs=str(inputs), scorer="none", rounds=3, steps=2, eval_fraction=0)
    calls = 0

    def tired(traces: Sequence[Trace]) -> list[float]:
        nonlocal calls
        calls += 1
        return [float(trace["y"] == "a") if calls == 2 else 0.0 for trace in traces]

    sysgraph.fit(graph, output=tmp_path / "run", scorer=Scorer("tired", tired), reporter=quiet)
    assert [m["round"] for m in metrics(tmp_path / "run") if "loss" in m] == [1]
    assert weights(tmp_path / "run")["m/logits"][0, 0] > 0
    with pytest.raises(RunError, match=r"^nothing was learned.* a gradient: no round had a pair"):
        sysgraph.fit(
            graph,
            output=tmp_path / "never",
            scorer=Scorer("constant", lambda traces: [0.0] * len(traces)),
            reporter=quiet,
        )


@pytest.mark.parametrize("fraction", [0, 0.5])
def test_one_pair(
    write_pairs: Callable[..., Path],
    tmp_path: Path,
    quiet: Reporter,
    weights: Weights,
    fraction: float,
) -> None:
    """Far less than a batch, and never held out."""
    data = write_pairs([({"x": "x"}, {"y": "a"}, {"y": "b"})])
    graph = coin(data=str(data), eval_fraction=fraction, batch_size=64, steps=3, save_every=1)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert weights(tmp_path / "run")["m/logits"][0, 0] > 0


@pytest.mark.parametrize(("count", "size", "steps"), [(10, 3, 2), (10, 3, 4), (4, 8, 1), (7, 7, 1)])
def test_visits_drawn_are_those_of_the_batches(count: int, size: int, steps: int) -> None:
    taken = [visit for step in range(steps) for visit in batch_visits(count, size, step, 5)]
    assert visits_drawn(count, size, steps, 5) == sorted({visit % count for visit in taken})
    for epochs in (1, 2, 10**6):
        first = sorted(visit for visit in taken if visit < epochs * count)
        assert visits_drawn(count, size, steps, 5, epochs=epochs) == first
