"""When training must stop, and what must not be trained."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

import sysgraph
from sysgraph import InputError, RunError
from sysgraph.support.progress import Reporter
from sysgraph.support.seeding import derive
from sysgraph.training.batches import batch_visits
from sysgraph.training.direct import Observed
from sysgraph.training.folder import RunFolder
from sysgraph.training.optimization import Optimization
from sysgraph.training.pairs import tabulate
from sysgraph.training.workers import Workers
from tests.losses import losses_of

Pairs = Callable[..., Path]


def tables(data: Path | str, models: dict[str, Any], **fit: Any) -> sysgraph.Graph:
    """A node per model, each seeing only the input; the last one is the output."""
    graph = {
        "sysgraph": 1,
        "name": "tables",
        "models": {n: {"kind": "table", "values": ["a", "b"], **m} for n, m in models.items()},
        "nodes": {
            "x": {"kind": "input"},
            **{f"y{n}": {"kind": "lm", "model": n, "prompt": "{{ x }}"} for n in models},
        },
        "edges": [f"x -> y{n}" for n in models],
        "outputs": [f"y{n}" for n in models],
        "fit": {"data": str(data), "steps": 3, "eval_fraction": 0, "batch_size": 2, **fit},
    }
    return sysgraph.load(json.dumps(graph))


def row(chosen: str, rejected: str, names: str = "mn", x: str = "x") -> tuple[Any, Any, Any]:
    sides = [{f"y{n}": v for n, v in zip(names, side, strict=True)} for side in (chosen, rejected)]
    return {"x": x}, *sides


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write {run}: No space left"),
        (OSError(errno.EIO, "Bad disk", "/mnt/x"), "cannot write /mnt/x: Bad disk; when"),
        (SafetensorError("I/O error: full"), "I/O error: full; when"),
    ],
    ids=str,
)
def test_what_could_not_be_written_is_said(
    error: Exception,
    said: str,
    write_pairs: Pairs,
    tmp_path: Path,
    quiet: Reporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(RunFolder, "save_models", fail)
    run = tmp_path / "run"
    with pytest.raises(RunError, match=f"^{said.format(run=run)}.*mended: sysgraph fit .*--resume"):
        sysgraph.fit(
            tables(write_pairs([row("a", "b", "m")]), {"m": {}}), output=run, reporter=quiet
        )
    monkeypatch.undo()
    sysgraph.fit(run / "graph.yaml", output=run, resume=True, reporter=quiet)
    assert (run / "models" / "m").is_dir()


def test_no_step_on_a_loss_that_is_not_finite(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    """A value of probability 0 makes p/p_ref 0/0; the pair that has it comes in the third step."""
    certain = {"contexts": ["x", "z"], "probs": [[0.5, 0.5], [1.0, 0.0]]}
    rows = [row("a", "b", "m")] * 4 + [row("a", "b", "m", "z")]
    data = write_pairs(rows)
    seed = next(s for s in range(100) if batch_visits(5, 2, 2, derive(s, 0))[0] == 4)
    graph = tables(data, {"m": certain}, save_every=1, seed=seed)
    with pytest.raises(RunError, match=r"^step 3 was not taken: loss nan"):
        sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    before = (tmp_path / "run" / "state" / "tensors.safetensors").read_bytes()
    info = json.loads((tmp_path / "run" / "state" / "info.json").read_text())
    assert info["step"] == 2
    assert not (tmp_path / "run" / "result.json").exists()
    assert not (tmp_path / "run" / "models").exists()
    with pytest.raises(RunError, match="step 3"):
        sysgraph.fit(graph, output=tmp_path / "run", resume=True, reporter=quiet)
    assert (tmp_path / "run" / "state" / "tensors.safetensors").read_bytes() == before


def test_weights_are_as_they_were_after_a_refused_step(write_pairs: Pairs) -> None:
    graph = tables(write_pairs([row("a", "b", "m")]), {"m": {}})
    program = sysgraph.compile(graph)
    system = sysgraph.System(program, device="cpu")
    weights = {"m": system.parameters("m")}
    optimization = Optimization(program, weights, Workers("no"))
    logits = weights["m"]["logits"]
    for loss, gradient in ((float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))):
        logits.grad = torch.full_like(logits, gradient)
        with pytest.raises(RunError):
            optimization.step(torch.tensor(loss))
        assert logits.tolist() == [[0.0, 0.0]]
    logits.grad = torch.ones_like(logits)
    optimization.step(torch.tensor(1.0))
    assert logits.tolist() != [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("models", "fit"),
    [({"second": {"train": "frozen"}}, {}), ({}, {"train": ["first"]})],
    ids=["frozen", "fit.train"],
)
def test_only_what_is_to_be_trained_changes(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    tmp_path: Path,
    quiet: Reporter,
    models: dict[str, Any],
    fit: dict[str, Any],
) -> None:
    """Also where a pair differs in the other model's node alone: that batch has no gradient."""
    graph = two_stage(models=models, data=str(pairs), batch_size=1, steps=9, **fit)
    sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert [path.name for path in (tmp_path / "run" / "models").glob("*/")] == ["first"]
    program = sysgraph.compile(graph)
    system = sysgraph.System(program, device="cpu")
    pair = sysgraph.load_pairs(program, pairs)[1]
    before = system.log_prob([pair.chosen])
    system.load(tmp_path / "run")
    after = system.log_prob([pair.chosen])
    assert torch.equal(before["answer"], after["answer"])
    assert not torch.equal(before["draft"], after["draft"])


def gradients(graph: sysgraph.Graph, data: Path) -> tuple[Tensor, dict[str, Tensor]]:
    """The mean loss over all pairs and its gradient, after the models left the reference."""
    program = sysgraph.compile(graph)
    system = sysgraph.System(program, device="cpu")
    for model in system.trained():
        with torch.no_grad():
            logits = system.parameters(model)["logits"]
            logits += torch.arange(logits.numel()).view_as(logits) * (0.3 if model == "m" else -0.7)
    table = tabulate(system, sysgraph.load_pairs(program, data))
    with torch.no_grad():
        reference = torch.zeros(len(table.requests) + 1)
        reference[:-1] = system.score(table.requests, reference=True)
    losses, _ = losses_of(system, Observed(system, table, range(len(table)), reference))
    losses.mean().backward()
    found = {m: system.parameters(m)["logits"].grad for m in system.trained()}
    assert all(g is not None for g in found.values())
    return losses.detach().mean(), {m: g for m, g in found.items() if g is not None}


@pytest.mark.parametrize("loss", ["sigmoid", "ipo", "hinge"])
def test_credit_by_node_is_each_node_s_own_dpo(write_pairs: Pairs, loss: str) -> None:
    """Two nodes that share nothing, together and each in a graph of its own."""
    contexts = {"contexts": ["x", "y"]}
    sides = [("ab", "ba", "x"), ("aa", "bb", "y"), ("bb", "aa", "x"), ("ab", "bb", "y")]
    together = write_pairs([row(c, r, "mn", x) for c, r, x in sides], "both.jsonl")
    settings = {"credit": "node", "beta": 0.7, "loss": loss}
    total, both = gradients(tables(together, {"m": contexts, "n": contexts}, **settings), together)
    alone = {}
    for i, name in enumerate("mn"):
        data = write_pairs([row(c[i], r[i], name, x) for c, r, x in sides], f"{name}.jsonl")
        graph = tables(data, {name: contexts}, beta=0.7, loss=loss)
        alone[name], gradient = gradients(graph, data)
        if loss != "ipo":  # in which a term on which the sides agree still has a loss of its own
            torch.testing.assert_close(both[name], gradient[name], msg=name)
    assert both["m"].abs().sum() > 0
    if loss == "sigmoid":
        # The fourth pair agrees on n, which then has no loss in the whole and log 2 alone.
        constant = torch.tensor(2.0).log() / len(sides)
        torch.testing.assert_close(total, alone["m"] + alone["n"] - constant)
        by_system = tables(together, {"m": contexts, "n": contexts}, beta=0.7)
        _, summed = gradients(by_system, together)
        assert not torch.allclose(summed["m"], both["m"]), "one loss of the sum is another one"


def test_settings_that_cannot_train_are_refused(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    data = write_pairs([row("a", "b", "m")])
    frozen = tables(data, {"m": {"train": "frozen"}})
    nothing = tables(data, {"m": {}})
    nothing = nothing.model_copy(update={"fit": nothing.fit.model_copy(update={"data": None})})
    for graph, said in ((frozen, "nothing to train:"), (nothing, "nothing to train on")):
        with pytest.raises(InputError, match=said):
            sysgraph.fit(graph, output=tmp_path / "run", reporter=quiet)
    assert not (tmp_path / "run").exists()


def test_folders_that_cannot_be_used_are_refused(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    graph = tables(write_pairs([row("a", "b", "m")]), {"m": {}})
    used = tmp_path / "used"
    used.mkdir()
    (used / "notes.txt").write_text("mine")
    for output, said in (
        (used, "exists: add --resume"),
        (used / "notes.txt", "exists: add --resume"),
        (used / "notes.txt" / "run", "cannot write"),
    ):
        with pytest.raises(InputError, match=said):
            sysgraph.fit(graph, output=output, reporter=quiet)
    assert [f.name for f in used.iterdir()] == ["notes.txt"]
    (tmp_path / "empty").mkdir()
    sysgraph.fit(graph, output=tmp_path / "empty", reporter=quiet)


def test_default_folders_are_numbered(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    graph = tables(write_pairs([row("a", "b", "m")]), {"m": {}})
    with pytest.raises(InputError, match="nothing to resume"):
        sysgraph.fit(graph, resume=True, reporter=quiet)
    runs = [sysgraph.fit(graph, reporter=quiet).folder for _ in range(2)]
    assert runs == [Path("runs/tables"), Path("runs/tables-2")]
    assert sysgraph.fit(graph, resume=True, reporter=quiet).folder == runs[1]
