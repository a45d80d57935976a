"""`fit.reference`: a hand-written TR-DPO loop, and runs that were stopped and resumed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import logsigmoid

import sysgraph
from sysgraph import RunError, Scorer
from sysgraph.support.progress import Reporter
from sysgraph.support.seeding import derive
from sysgraph.training.batches import batch_visits

from .test_resume import Interrupting, assert_same

Y, Z = ["y1", "y2"], ["z1", "z2", "z3"]
TABLES = """
name: tables
models:
  first: {kind: table, values: [y1, y2]}
  second: {kind: table, values: [z1, z2, z3], contexts: [y1, y2]}
nodes:
  x: {kind: input}
  y: {kind: lm, model: first, prompt: "{{ x }}"}
  z: {kind: lm, model: second, prompt: "{{ y }}"}
edges: [x -> y, y -> z]
outputs: [z]
fit:
  {steps: 8, batch_size: 2, learning_rate: 0.1, lr_scheduler: constant, max_grad_norm: null,
   eval_fraction: 0.3, eval_every: 4, log_every: 1, save_every: 2, beta: 0.5}
"""
PAIRS = [("y1", "z1", "y2", "z2"), ("y2", "z3", "y1", "z2"), ("y1", "z3", "y1", "z1")]


def log_prob(logits: dict[str, Tensor], y: str, z: str, *, latent: bool) -> Tensor:
    first, second = logits["first"].log_softmax(-1).view(-1), logits["second"].log_softmax(-1)
    joint = first + second[:, Z.index(z)]  # (Y,)
    return joint.logsumexp(0) if latent else joint[Y.index(y)]


def by_hand(fit: sysgraph.Fit, rows: list[tuple[str, ...]], *, latent: bool) -> list[float]:
    """The loss of each step: p_ref is mixed with p after every `every` of them."""
    assert fit.reference is not None
    every, mix = fit.reference.every, fit.reference.mix
    policy = {"first": torch.zeros(1, 2), "second": torch.zeros(2, 3)}
    policy = {name: p.double().requires_grad_() for name, p in policy.items()}
    reference = {name: p.detach().clone() for name, p in policy.items()}
    optimizer = torch.optim.AdamW(policy.values(), lr=fit.learning_rate, weight_decay=0)
    losses = []
    for step in range(fit.steps):
        total = torch.zeros(())
        for visit in batch_visits(len(rows), fit.batch_size, step, derive(fit.seed, 0)):
            y_w, z_w, y_l, z_l = rows[visit % len(rows)]
            ratios = [
                log_prob(policy, y, z, latent=latent) - log_prob(reference, y, z, latent=latent)
                for y, z in ((y_w, z_w), (y_l, z_l))
            ]
            total = total - logsigmoid(fit.beta * (ratios[0] - ratios[1])) / fit.batch_size
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
        if (step + 1) % every == 0:
            for name, tensor in reference.items():
                tensor.copy_(mix * policy[name].detach() + (1 - mix) * tensor)
    return losses


@pytest.mark.parametrize("latent", [False, True], ids=["direct", "sampling"])
@pytest.mark.parametrize(("every", "mix"), [(3, 0.6), (2, 1.0)])
def test_a_hand_written_loop(
    every: int, mix: float, latent: bool, tmp_path: Path, quiet: Reporter
) -> None:
    overrides = ["fit.eval_fraction=0", f"fit.reference={{every: {every}, mix: {mix}}}"]
    overrides += ["fit.observed=[z]"] * latent
    graph = sysgraph.load(TABLES, overrides)
    losses = fitted(graph, tmp_path, quiet)
    wanted = by_hand(graph.fit, PAIRS, latent=latent)
    assert losses == pytest.approx(wanted, rel=1e-4)
    still = graph.model_copy(update={"fit": graph.fit.model_copy(update={"reference": None})})
    assert fitted(still, tmp_path, quiet) != pytest.approx(wanted, rel=1e-2)


def fitted(graph: sysgraph.Graph, folder: Path, quiet: Reporter) -> list[float]:
    rows = [
        {"x": "x", "chosen": {"y": y_w, "z": z_w}, "rejected": {"y": y_l, "z": z_l}}
        for y_w, z_w, y_l, z_l in PAIRS
    ]
    run = sysgraph.fit(graph, data=rows, output=folder / "run", overwrite=True, reporter=quiet)
    lines = map(json.loads, (run.folder / "metrics.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_held_out_pairs_are_measured_against_the_start(tmp_path: Path, quiet: Reporter) -> None:
    """With the reference that training has, the loss would fall back with every update."""
    graph = sysgraph.load(TABLES, ["fit.reference={every: 1, mix: 1}", "fit.observed=[z]"])
    rows = [{"x": f"x{i}", "chosen": {"z": "z1"}, "rejected": {"z": "z2"}} for i in range(10)]
    run = sysgraph.fit(graph, data=rows, output=tmp_path / "run", reporter=quiet)
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    policy = {m: load_file(run.folder / "models" / m / "table.safetensors")["logits"]
              for m in ("first", "second")}  # fmt: skip
    gain = [log_prob(policy, "", z, latent=True) for z in ("z1", "z2")]
    losses = [line["eval_loss"] for line in lines if "eval_loss" in line]
    assert losses[-1] == pytest.approx(-float(logsigmoid(0.5 * (gain[0] - gain[1]))), rel=1e-4)
    assert losses == sorted(losses, reverse=True)


def test_every_round_starts_anew(tmp_path: Path, quiet: Reporter) -> None:
    """The policy is the reference before the first step of a round, and after every second."""
    (tmp_path / "x.jsonl").write_text("".join(f'{{"x": "x{i}"}}\n' for i in range(6)))
    overrides = [f"fit.inputs={tmp_path / 'x.jsonl'}", "fit.scorer=z", "fit.rounds=2"]
    overrides += ["fit.steps=4", "fit.eval_fraction=0", "fit.reference={every: 2, mix: 1}"]
    graph = sysgraph.load(TABLES, overrides)
    scorer = Scorer("z", lambda traces: [float(str(t["z"])[1]) for t in traces])
    run = sysgraph.fit(graph, scorer=scorer, output=tmp_path / "run", reporter=quiet)
    lines = map(json.loads, (run.folder / "metrics.jsonl").read_text().splitlines())
    margins = [line["rewards/margins"] for line in lines if "rewards/margins" in line]
    assert [abs(margin) < 1e-6 for margin in margins] == [True, False] * 4


@pytest.mark.parametrize(("every", "observed"), [(8, None), (2, ["answer"])])
def test_resumed(
    every: int,
    observed: list[str] | None,
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    """To the bit, stopped after five steps of ten: before the first update, or after two."""
    fit: dict[str, Any] = {"observed": observed} if observed else {}
    graph = two_stage(
        models={"second": {"train": "full"}},
        data=str(pairs),
        steps=10,
        save_every=3,
        eval_every=4,
        eval_fraction=0.25,
        learning_rate=1e-3,
        reference={"every": every, "mix": 0.6},
        **fit,
    )
    sysgraph.fit(graph, output=tmp_path / "whole", reporter=quiet)
    with pytest.raises(RunError, match="interrupted; continue with"):
        sysgraph.fit(graph, output=tmp_path / "stopped", reporter=Interrupting(shown=False))
    assert json.loads((tmp_path / "stopped" / "state" / "info.json").read_text())["step"] == 5
    sysgraph.fit(graph, output=tmp_path / "stopped", resume=True, reporter=quiet)
    assert_same(tmp_path / "whole", tmp_path / "stopped")
