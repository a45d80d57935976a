"""An adapter at its start and in effect, its modules, and the reference it is compared with."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sysgraph import InputError, Program, System

from .rows import scores

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]


def test_initial_adapters_depend_on_seed_and_name_alone(
    several_nodes: MakeProgram, plain_folder: Path
) -> None:
    def adapter(models: list[str], model: str, seed: int) -> Tensor:
        torch.manual_seed(len(models))
        base = {"id": str(plain_folder)}
        nodes = {name: {"model": name, "prompt": "{{ question }}"} for name in models}
        system = System(several_nodes(dict.fromkeys(models, base), nodes), device="cpu", seed=seed)
        return torch.cat([p.flatten() for p in system.parameters(model).values()])

    alone = adapter(["bo"], "bo", 0)
    assert torch.equal(adapter(["ada", "bo"], "bo", 0), alone)
    assert not torch.equal(adapter(["ada", "bo"], "ada", 0), alone)
    assert not torch.equal(adapter(["bo"], "bo", 1), alone)


def test_scale_is_alpha_over_rank(
    one_node: MakeProgram, plain_folder: Path, jitter: Jitter
) -> None:
    """With the same A and B, alpha 2a at rank r is the update of alpha a, twice."""
    updates = []
    for alpha in (0.01, 0.02):  # small, so that the model is linear in the update
        system = System(one_node(plain_folder, lora={"r": 4, "alpha": alpha}), device="cpu")
        jitter(system, 0.1)
        updates.append(scores(system, "ada") - scores(system, "ada", reference=True))
    ratio = float((updates[1] / updates[0]).mean())
    assert math.isclose(ratio, 2, rel_tol=0.05)


def test_target_modules_that_are_not_there(one_node: MakeProgram, plain_folder: Path) -> None:
    with pytest.raises(InputError, match="target_modules"):
        System(one_node(plain_folder, lora={"target_modules": ["nope"]}), device="cpu")


# ---- references


@pytest.mark.parametrize("train", ["lora", "full"])
def test_reference_is_set_and_put_back(
    one_node: MakeProgram, chat_folder: Path, jitter: Jitter, train: str
) -> None:
    system = System(one_node(chat_folder, train=train), device="cpu")
    original = scores(system, "ada", reference=True)
    assert torch.equal(scores(system, "ada"), original)

    jitter(system, 0.05)
    snapshot = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    then = scores(system, "ada")
    system.set_reference("ada", snapshot)
    jitter(system, 0.05)  # training goes on
    assert not torch.isclose(scores(system, "ada"), then).any()
    assert torch.equal(scores(system, "ada", reference=True), then)

    later = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    system.set_reference("ada", later)  # the next round
    assert torch.equal(scores(system, "ada", reference=True), scores(system, "ada"))

    system.set_reference("ada", None)
    assert torch.equal(scores(system, "ada", reference=True), original)


def test_frozen_equals_its_reference(one_node: MakeProgram, plain_folder: Path) -> None:
    program = one_node(plain_folder, train="frozen")
    system = System(program, device="cpu")
    assert torch.equal(scores(system, "ada"), scores(system, "ada", reference=True))
    assert system.parameters("ada") == {}
    assert system.trained() == ()
