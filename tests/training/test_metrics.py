"""metrics.jsonl: TRL's names, for the system and every node; values against sums made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sysgraph
from sysgraph.support.progress import Reporter
from sysgraph.support.seeding import derive
from sysgraph.training.batches import batch_visits

NODES = ("draft[ada]", "draft[bo]", "answer")


@pytest.fixture
def graph(
    two_stage: Callable[..., sysgraph.Graph], write_pairs: Callable[..., Path]
) -> sysgraph.Graph:
    """Two drafts and an answer. In the second row, bo's draft cancels."""
    texts = ["ab", "cd", "ef", "gh", "ij", "kl"]
    rows: list[tuple[Any, Any, Any]] = [
        (
            {"question": f"q{i}"},
            {"draft": [text, "good"], "answer": text},
            {"draft": [text[::-1], "good" if i == 1 else "bad"], "answer": "none"},
        )
        for i, text in enumerate(texts)
    ]
    plain = json.loads(two_stage().model_dump_json(exclude_unset=True))
    plain["models"] = {"ada": plain["models"]["first"], "bo": plain["models"]["second"]}
    plain["nodes"]["draft"] |= {"for_each": {"agent": ["ada", "bo"]}, "model": "{{ agent }}"}
    plain["nodes"]["answer"] |= {"model": "ada", "prompt": "{{ question }} {{ draft | join }}"}
    plain["fit"] |= {
        "data": str(write_pairs(rows)),
        "lr_scheduler": "constant",
        "learning_rate": 1e-3,
        "batch_size": 3,
        "log_every": 1,
        "beta": 0.4,
        "anchor": 0.2,
    }
    return sysgraph.load(json.dumps(plain))


def fitted(graph: sysgraph.Graph, folder: Path, quiet: Reporter, **fit: Any) -> sysgraph.Graph:
    changed = graph.model_copy(update={"fit": graph.fit.model_copy(update=fit)})
    sysgraph.fit(changed, output=folder, reporter=quiet)
    return changed


def by_hand(
    system: sysgraph.System, pairs: list[Any], *, beta: float, anchor: float, cancelled: Any
) -> dict[str, float]:
    """The metrics of some pairs from `log_prob` alone. cancelled: (pair, node)."""
    policy, reference, ratio = {}, {}, {}
    for side in ("chosen", "rejected"):
        traces = [getattr(pair, side) for pair in pairs]
        with torch.no_grad():
            policy[side] = system.log_prob(traces)
            reference[side] = system.log_prob(traces, reference=True)
        ratio[side] = {n: policy[side][n] - reference[side][n] for n in NODES}
    out: dict[str, float] = {}
    rewards = {side: {n: beta * ratio[side][n] for n in NODES} for side in ratio}
    # What cancels has no part in a side's reward either.
    for side in rewards:
        for pair, node in cancelled:
            rewards[side][node][pair] = 0
    total = {side: torch.stack(list(rewards[side].values())).sum(0) for side in rewards}
    for name, sides in [("", total)] + [
        (f"/{n}", {side: rewards[side][n] for side in rewards}) for n in NODES
    ]:
        margin = sides["chosen"] - sides["rejected"]
        judged = [i for i in range(len(pairs)) if (i, name[1:]) not in cancelled]
        out[f"rewards/chosen{name}"] = sides["chosen"].mean().item()
        out[f"rewards/rejected{name}"] = sides["rejected"].mean().item()
        out[f"rewards/margins{name}"] = margin.mean().item()
        out[f"rewards/accuracies{name}"] = (margin[judged] > 0).float().mean().item()
    tokens = torch.tensor([sum(len(pair.chosen[n]) + 1 for n in NODES) for pair in pairs])
    rejected = [
        sum(len(pair.rejected[n]) + 1 for n in NODES if (i, n) not in cancelled)
        for i, pair in enumerate(pairs)
    ]
    out["scored_tokens"] = (tokens.sum().item() + sum(rejected)) / len(pairs)
    nll = -torch.stack([policy["chosen"][n] for n in NODES]).sum(0) / tokens
    margin = total["chosen"] - total["rejected"]
    out["nll/chosen"] = nll.mean().item()
    out["loss"] = (-torch.nn.functional.logsigmoid(margin) + anchor * nll).mean().item()
    for n in NODES:
        out[f"logps/chosen/{n}"] = policy["chosen"][n].mean().item()
        kept = [i for i in range(len(pairs)) if (i, n) not in cancelled]
        out[f"logps/rejected/{n}"] = policy["rejected"][n][kept].mean().item()
        for pair in [i for i in range(len(pairs)) if (i, n) in cancelled]:
            policy["rejected"][n][pair] = 0
    for side in policy:
        out[f"logps/{side}"] = torch.stack([policy[side][n] for n in NODES]).sum(0).mean().item()
    return out


def test_values_are_those_made_by_hand(
    graph: sysgraph.Graph,
    tmp_path: Path,
    quiet: Reporter,
    metrics: Callable[[Path], list[dict[str, Any]]],
) -> None:
    """The second step's line: of its three pairs, under the weights that the first step left."""
    one = fitted(graph, tmp_path / "one", quiet, steps=1)
    fitted(graph, tmp_path / "two", quiet, steps=2)
    program = sysgraph.compile(one)
    system = sysgraph.System(program, device="cpu")
    system.load(tmp_path / "one")
    pairs = sysgraph.load_pairs(program, str(one.fit.data))
    rows = batch_visits(6, 3, 1, derive(0, 0))
    expected = by_hand(
        system,
        [pairs[i] for i in rows],
        beta=0.4,
        anchor=0.2,
        cancelled=[(at, "draft[bo]") for at, i in enumerate(rows) if i == 1],
    )
    line = metrics(tmp_path / "two")[1]
    assert (line["round"], line["step"]) == (0, 2)
    found = {name: line[name] for name in expected}
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert line.keys() - expected.keys() == {
        *("round", "step", "padding", "grad_norm", "grad_norm/ada", "grad_norm/bo"),
        *("learning_rate", "learning_rate/ada", "learning_rate/bo"),
    }
    assert line["grad_norm"] == pytest.approx(
        (line["grad_norm/ada"] ** 2 + line["grad_norm/bo"] ** 2) ** 0.5, rel=1e-4
    )
    margins = [line[f"rewards/margins/{node}"] for node in NODES]
    assert line["rewards/margins"] == pytest.approx(sum(margins), rel=1e-4)


def test_a_line_is_the_mean_since_the_last_one(
    graph: sysgraph.Graph,
    tmp_path: Path,
    quiet: Reporter,
    metrics: Callable[[Path], list[dict[str, Any]]],
) -> None:
    fitted(graph, tmp_path / "each", quiet, steps=7, log_every=1)
    fitted(graph, tmp_path / "third", quiet, steps=7, log_every=3)
    each, third = metrics(tmp_path / "each"), metrics(tmp_path / "third")
    assert [line["step"] for line in third] == [3, 6, 7]
    for line, lines in zip(third, (each[:3], each[3:6], each[6:]), strict=True):
        for name in ("loss", "rewards/margins/answer", "logps/chosen/draft[ada]"):
            mean = sum(one[name] for one in lines) / len(lines)
            assert line[name] == pytest.approx(mean, rel=1e-4)


def test_held_out_pairs_are_measured_under_their_own_names(
    graph: sysgraph.Graph,
    tmp_path: Path,
    quiet: Reporter,
    metrics: Callable[[Path], list[dict[str, Any]]],
) -> None:
    fitted(graph, tmp_path / "run", quiet, steps=5, eval_fraction=0.3, eval_every=2)
    lines = metrics(tmp_path / "run")
    held = [line for line in lines if "eval_loss" in line]
    assert [line["step"] for line in held] == [0, 2, 4, 5]
    trained = {name for name in lines[1] if name.startswith(("rewards", "logps", "nll"))}
    assert {"rewards/margins/answer", "logps/chosen/draft[ada]"} < trained
    found = {name for line in held for name in line} - {"round", "step", "eval_loss"}
    found.remove("eval_scored_tokens")
    assert found == {f"eval_{name}" for name in trained}
    assert held[0]["eval_rewards/margins"] == pytest.approx(0, abs=1e-5)
