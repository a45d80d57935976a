"""Models with one id share one base; their adapters and gradients stay apart."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from sysgraph import Program, System

from .rows import expected, gradients, requests, scores

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]


def storages(system: System, model: str) -> dict[str, int]:
    """Where the base weights that `model` runs on lie in memory."""
    module = system._engines[model]._weights[model].module(reference=False)
    return {
        name: parameter.data_ptr()
        for name, parameter in module.named_parameters()
        if "lora_" not in name
    }


@pytest.fixture
def three(several_nodes: MakeProgram, plain_folder: Path, jitter: Jitter) -> System:
    """Two adapters of different ranks and a frozen model, on one base."""
    base = {"id": str(plain_folder)}
    program = several_nodes(
        {
            "ada": {**base, "revision": "main", "lora": {"r": 4, "alpha": 8}},
            "bo": {**base, "lora": {"r": 2, "target_modules": ["q_proj", "down_proj"]}},
            "cy": {**base, "train": "frozen"},
        },
        {name: {"model": name, "prompt": "{{ question }}"} for name in ("ada", "bo", "cy")},
    )
    system = System(program, device="cpu")
    jitter(system, 0.1)
    return system


# ---- sharing


def test_one_base_in_memory(three: System, plain_folder: Path) -> None:
    places = storages(three, "ada")
    assert storages(three, "bo") == places
    assert storages(three, "cy") == places
    weights = AutoModelForCausalLM.from_pretrained(plain_folder).parameters()
    assert len(set(places.values())) == len(list(weights))


def test_full_trains_its_own_copy(several_nodes: MakeProgram, plain_folder: Path) -> None:
    base = {"id": str(plain_folder)}
    program = several_nodes(
        {"ada": {**base, "train": "full"}, "bo": {**base, "train": "frozen"}},
        {name: {"model": name, "prompt": "{{ question }}"} for name in ("ada", "bo")},
    )
    system = System(program, device="cpu")
    own, shared = storages(system, "ada"), storages(system, "bo")
    assert not set(own.values()) & set(shared.values())
    before = scores(system, "ada")
    with torch.no_grad():
        for parameter in system.parameters("ada").values():
            parameter.mul_(1.1)
    assert not torch.isclose(scores(system, "ada"), before).any()
    assert torch.equal(scores(system, "ada", reference=True), before)
    assert torch.equal(scores(system, "bo"), before)


def test_other_dtype_is_another_base(several_nodes: MakeProgram, plain_folder: Path) -> None:
    base = {"id": str(plain_folder)}
    program = several_nodes(
        {"ada": base, "bo": {**base, "dtype": "bfloat16"}},
        {name: {"model": name, "prompt": "{{ question }}"} for name in ("ada", "bo")},
    )
    system = System(program, device="cpu")
    assert not set(storages(system, "ada").values()) & set(storages(system, "bo").values())
    assert {p.dtype for p in system.parameters("bo").values()} == {torch.float32}


def test_adapters_do_not_touch_each_other(three: System, plain_folder: Path) -> None:
    base = expected(plain_folder, AutoModelForCausalLM.from_pretrained(plain_folder))
    torch.testing.assert_close(scores(three, "cy"), base)
    for model in ("ada", "bo"):
        assert not torch.isclose(scores(three, model), base).any()
        torch.testing.assert_close(scores(three, model, reference=True), base)
    bo = scores(three, "bo")
    with torch.no_grad():
        for parameter in three.parameters("ada").values():
            parameter.zero_()
    assert torch.equal(scores(three, "bo"), bo)
    torch.testing.assert_close(scores(three, "ada"), base)


def test_one_call_scores_what_has_the_same_weights(three: System) -> None:
    flat = [r for model in ("ada", "bo", "cy") for r in requests(model)]

    def together(reference: bool) -> list[set[str]]:
        passes = three.passes(flat, reference=reference)
        assert sorted(row for one in passes for row in one.rows) == list(range(len(flat)))
        return [{flat[row].model for row in one.rows} for one in passes]

    assert together(reference=False) == [{"ada"}, {"bo"}, {"cy"}]
    assert together(reference=True) == [{"ada", "bo", "cy"}]
    three.set_reference("ada", {n: p.detach() for n, p in three.parameters("ada").items()})
    assert together(reference=True) == [{"ada"}, {"bo", "cy"}]
    three.set_reference("ada", None)
    assert together(reference=True) == [{"ada", "bo", "cy"}]


# ---- gradients


def test_a_loss_reaches_its_own_adapter_only(three: System) -> None:
    three.score(requests("ada")).sum().backward()
    assert all(g is not None and g.isfinite().all() for g in gradients(three, "ada").values())
    assert any(g is not None and g.abs().max() > 0 for g in gradients(three, "ada").values())
    assert all(g is None for g in gradients(three, "bo").values())


def test_a_joint_loss_gives_each_adapter_the_gradient_it_gets_alone(three: System) -> None:
    alone: dict[str, dict[str, Tensor | None]] = {}
    for model in ("ada", "bo"):
        three.score(requests(model)).sum().backward()
        alone[model] = gradients(three, model)
        for parameter in three.parameters(model).values():
            parameter.grad = None
    # The last pass before `backward` runs with every adapter off, and one with samples between.
    loss = three.score(requests("ada")).sum() + three.score(requests("cy")).sum()
    three.sample({"question": "Q"}, n=1)
    loss = loss + three.score([*requests("bo"), *requests("cy")]).sum()
    scores(three, "bo", reference=True)
    loss.backward()
    for model, wanted in alone.items():
        for name, gradient in gradients(three, model).items():
            assert gradient is not None, name
            torch.testing.assert_close(gradient, wanted[name], msg=name)


def test_nothing_else_asks_for_a_gradient(three: System) -> None:
    three.set_reference("ada", {n: p.detach() for n, p in three.parameters("ada").items()})
    scores(three, "ada", reference=True)
    scores(three, "bo")
    asking = {
        id(p)
        for p in three._engines["ada"]._weights["ada"].module(reference=False).parameters()
        if p.requires_grad
    }
    wanted = {id(p) for m in ("ada", "bo") for p in three.parameters(m).values()}
    assert asking == wanted
    assert not three.score(requests("ada"), reference=True).requires_grad
