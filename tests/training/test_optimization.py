"""The trajectory of weights, against a plain eager loop; schedules, clipping and precision."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, get_scheduler

import sysgraph
from sysgraph.support.progress import Reporter
from sysgraph.support.seeding import derive
from sysgraph.training.batches import batch_visits

Weights = Callable[[Path], dict[str, Tensor]]
Metrics = Callable[[Path], list[dict[str, Any]]]


def log_prob(model: nn.Module, tokenizer: Any, prompt: str, text: str) -> Tensor:
    """Log p(text and its end | prompt), one row at a time."""
    start = tokenizer(prompt)["input_ids"]
    ids = [*start, *tokenizer(text)["input_ids"], tokenizer.eos_token_id]
    logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return logits[range(len(start) - 1, len(ids) - 1), ids[len(start) :]].sum()


def eager(
    folder: Path, rows: list[dict[str, Any]], graph: sysgraph.Graph, initial: dict[str, Tensor]
) -> tuple[list[float], list[float], dict[str, Tensor]]:
    """Losses, gradient norms and weights of DPO on the sum of two nodes, written plainly."""
    fit = graph.fit
    tokenizer = AutoTokenizer.from_pretrained(folder)
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    first = get_peft_model(AutoModelForCausalLM.from_pretrained(folder), lora).eval()
    second = AutoModelForCausalLM.from_pretrained(folder).eval()
    reference = AutoModelForCausalLM.from_pretrained(folder).eval()
    adapter = {
        n.replace(".default.", "."): p for n, p in first.named_parameters() if p.requires_grad
    }
    assert adapter.keys() == initial.keys()
    with torch.no_grad():
        for name, parameter in adapter.items():
            parameter.copy_(initial[name])
    groups = [
        {"params": list(adapter.values()), "lr": graph.models["first"].learning_rate},
        {"params": list(second.parameters()), "lr": fit.learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=fit.weight_decay)
    schedule = get_scheduler(fit.lr_scheduler, optimizer, fit.warmup_steps, fit.steps)

    def terms(models: tuple[nn.Module, nn.Module], row: dict[str, Any], side: str) -> Tensor:
        question, draft, answer = row["inputs"]["question"], row[side]["draft"], row[side]["answer"]
        return log_prob(models[0], tokenizer, question, draft) + log_prob(
            models[1], tokenizer, f"{question} {draft}", answer
        )

    losses, norms = [], []
    for step in range(fit.steps):
        visits = batch_visits(len(rows), fit.batch_size, step, derive(fit.seed, 0))
        batch = [visit % len(rows) for visit in visits]
        several = []
        for row in (rows[i] for i in batch):
            margin = torch.zeros(())
            for side, sign in (("chosen", 1), ("rejected", -1)):
                with torch.no_grad():
                    before = terms((reference, reference), row, side)
                now = terms((first, second), row, side)
                margin = margin + sign * (now - before)
                if side == "chosen":
                    chosen = now
            tokens = sum(len(text) + 1 for text in row["chosen"].values())
            several.append(-F.logsigmoid(fit.beta * margin) - fit.anchor * chosen / tokens)
        loss = torch.stack(several).mean()
        optimizer.zero_grad()
        loss.backward()
        parameters = [p for group in groups for p in group["params"]]
        norms.append(float(nn.utils.clip_grad_norm_(parameters, fit.max_grad_norm)))
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    named = {f"first/{n.removesuffix('.weight')}.weight": p.detach() for n, p in adapter.items()}
    named |= {f"second/{n}": p.detach() for n, p in second.named_parameters()}
    return losses, norms, named


def test_the_trajectory_is_that_of_an_eager_loop(
    two_stage: Callable[..., sysgraph.Graph],
    checkpoint: Callable[..., Path],
    pairs: Path,
    tmp_path: Path,
    quiet: Reporter,
    weights: Weights,
    metrics: Metrics,
) -> None:
    """Direct with anchor, clipping, weight decay, warm-up and a rate per model, for ten steps."""
    graph = two_stage(
        models={"first": {"learning_rate": 3e-3}, "second": {"train": "full"}},
        data=str(pairs),
        steps=10,
        batch_size=3,
        beta=0.3,
        anchor=0.2,
        learning_rate=1e-3,
        weight_decay=0.1,
        warmup_steps=3,
        lr_scheduler="cosine",
        max_grad_norm=1.55,
        log_every=1,
    )
    system = sysgraph.System(sysgraph.compile(graph), device="cpu")
    initial = {name: p.detach().clone() for name, p in system.parameters("first").items()}
    rows = [json.loads(line) for line in pairs.read_text().splitlines()]
    losses, norms, expected = eager(checkpoint(), rows, graph, initial)
    assert max(norms) > 1.55 > min(norms), "some steps are clipped and some are not"

    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    lines = metrics(tmp_path / "run")
    assert [line["loss"] for line in lines] == pytest.approx(losses, rel=1e-5)
    assert [line["grad_norm"] for line in lines] == pytest.approx(norms, rel=1e-4)
    found = weights(tmp_path / "run")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-6, rtol=0, msg=name)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_learning_rates_are_those_of_transformers(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    tmp_path: Path,
    quiet: Reporter,
    metrics: Metrics,
    name: str,
) -> None:
    graph = two_stage(
        models={"first": {"learning_rate": 0.5}},
        data=str(pairs),
        steps=8,
        batch_size=1,
        warmup_steps=3,
        lr_scheduler=name,
        learning_rate=1e-2,
        log_every=1,
    )
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    group = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (0.5, 1e-2)]
    optimizer = torch.optim.AdamW(group)
    schedule = get_scheduler(
        "constant_with_warmup" if name == "constant" else name, optimizer, 3, 8
    )
    for line in metrics(tmp_path / "run"):
        rates = schedule.get_last_lr()
        assert [line["learning_rate/first"], line["learning_rate/second"]] == pytest.approx(
            rates, rel=1e-5
        )
        assert line["learning_rate"] == line["learning_rate/first"]
        optimizer.step()
        schedule.step()


def test_bf16_stays_close(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    tmp_path: Path,
    quiet: Reporter,
    weights: Weights,
    metrics: Metrics,
) -> None:
    """Autocast in one run does not last into the next one of the same Python process."""
    runs = {}
    for name, precision in (("no", "no"), ("bf16", "bf16"), ("default", None)):
        graph = two_stage(
            data=str(pairs), mixed_precision=precision, learning_rate=1e-3, log_every=1, beta=1
        )
        sysgraph.fit(graph, output=tmp_path / name, reporter=quiet)
        runs[name] = metrics(tmp_path / name)
    exact, rough = weights(tmp_path / "no"), weights(tmp_path / "bf16")
    assert all(tensor.dtype == torch.float32 for tensor in rough.values())
    assert any(not torch.equal(exact[name], rough[name]) for name in exact)
    for name, tensor in exact.items():
        # Six steps of 1e-3 each; Adam may take a rounded-away gradient's sign for another.
        torch.testing.assert_close(rough[name], tensor, atol=1.2e-2, rtol=0, msg=name)
    losses = [[line["loss"] for line in runs[name]] for name in ("no", "bf16")]
    assert losses[1] == pytest.approx(losses[0], abs=0.05)
    assert runs["default"] == runs["no"]


def test_fp16_is_refused_on_a_cpu(
    two_stage: Callable[..., sysgraph.Graph], pairs: Path, tmp_path: Path, quiet: Reporter
) -> None:
    if torch.accelerator.is_available():
        pytest.skip("there is a device that computes in fp16")
    graph = two_stage(data=str(pairs), mixed_precision="fp16")
    with pytest.raises(sysgraph.InputError, match="fp16 needs a GPU"):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert not (tmp_path / "run").exists()


def test_one_schedule_spans_all_rounds(
    two_stage: Callable[..., sysgraph.Graph],
    questions: Path,
    checksum: sysgraph.Scorer,
    tmp_path: Path,
    quiet: Reporter,
    metrics: Metrics,
) -> None:
    graph = two_stage(
        inputs=str(questions),
        scorer="checksum",
        rounds=2,
        samples=2,
        steps=3,
        warmup_steps=2,
        log_every=1,
    )
    sysgraph.fit(graph, output=tmp_path / "run", scorer=checksum, reporter=quiet)
    rates = [line["learning_rate"] for line in metrics(tmp_path / "run") if "loss" in line]
    assert rates == pytest.approx([0, 0.005, 0.01, 0.0075, 0.005, 0.0025], rel=1e-5)
