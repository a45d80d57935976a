"""The reference of `train: full` after a round: its values, and where its weights are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from sysgraph import InputError, Program, System
from sysgraph.engines.causal_lm import engine as lm_engine
from sysgraph.engines.checkpoints.offloaded import Offloaded

from .rows import requests


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.read, self.write = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.write.weight = self.read.weight
        self.register_buffer("scale", torch.tensor(2.0), persistent=False)


def test_weights_are_on_the_device_only_while_they_are_needed() -> None:
    module = Tied()
    (weight,) = module.parameters()
    weight.grad = torch.ones_like(weight)
    offloaded = Offloaded.copy_of(
        module, torch.device("meta")
    )  # another device that every machine has
    copy = offloaded.load()
    assert {p.device.type for p in copy.parameters()} == {"meta"}
    assert copy.read.weight is copy.write.weight
    offloaded.release()
    assert torch.equal(copy.read.weight, weight)
    assert copy.read.weight.device.type == "cpu"
    assert not copy.read.weight.requires_grad
    assert copy.read.weight.grad is None

    offloaded.load()
    offloaded.fill({"read.weight": weight.detach() + 1})
    assert torch.equal(copy.read.weight, weight + 1)
    assert torch.equal(weight.grad, torch.ones_like(weight))  # what it is a copy of is left alone
    with pytest.raises(InputError):
        offloaded.fill({"read.weight": torch.zeros(4, 3)})
    assert torch.equal(copy.read.weight, weight + 1)


@pytest.mark.parametrize("first", [True, False], ids=["the base", "a snapshot"])
def test_the_reference_of_a_model_trained_whole_is_loaded_once_for_all_it_scores(
    one_node: Callable[..., Program],
    plain_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: bool,
) -> None:
    system = System(one_node(plain_folder, train="full"), device="cpu")
    weights = system._engines["ada"]._weights["ada"]  # type: ignore[attr-defined]
    if not first:
        moved = {n: p.detach() + 0.1 for n, p in system.parameters("ada").items()}
        system.set_reference("ada", moved)
    waiting = weights._base if first else weights._reference
    seen: list[bool] = []
    waiting._module.register_forward_pre_hook(lambda *_: seen.append(waiting._is_loaded))
    released, release = [], waiting.release
    monkeypatch.setattr(waiting, "release", lambda: released.append(len(seen)) or release())
    flat = [replace(r, context=r.context + " ." * n) for r in requests("ada") for n in range(90)]
    monkeypatch.setattr(lm_engine, "TOKENS_PER_PASS", 100)
    passes = system.passes(flat, reference=True, gradients=True)
    assert len(passes) > 1
    with torch.no_grad():
        values = [one.run() for one in passes]
    assert seen
    assert all(seen)
    assert not waiting._is_loaded
    assert released == [len(seen)]
    with torch.no_grad():
        assert torch.equal(passes[0].run(), values[0])  # again, after it was released
    waiting.release()
    before = len(seen)
    system.score(flat[:3])
    system.sample({"question": "Q"}, n=1)
    assert len(seen) == before  # the policy is another module


def test_a_base_that_others_run_on_stays(
    several_nodes: Callable[..., Program], plain_folder: Path
) -> None:
    base = {"id": str(plain_folder)}
    models = {"ada": {**base, "train": "full"}, "bo": {**base, "train": "frozen"}}
    nodes = {name: {"model": name, "prompt": "{{ question }}"} for name in models}
    system = System(several_nodes(models, nodes), device="cpu")
    weights = system._engines["ada"]._weights  # type: ignore[attr-defined]
    assert weights["ada"]._base is None
    assert weights["ada"].module(reference=True) is weights["bo"].module(reference=False)
