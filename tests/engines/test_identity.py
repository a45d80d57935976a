"""Saved weights say whose they are, and are not put into another model or onto another base."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import sysgraph
from sysgraph import InputError, Program, System

from .rows import scores

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]


def two(folder: Path, **settings: dict[str, Any]) -> dict[str, Any]:
    """The models psi1 and psi2 on one base."""
    return {name: {"id": str(folder), **settings.get(name, {})} for name in ("psi1", "psi2")}


def nodes() -> dict[str, dict[str, str]]:
    return {name: {"model": name, "prompt": "{{ question }}"} for name in ("psi1", "psi2")}


def other_weights(folder: Path, target: Path) -> Path:
    """The same checkpoint with other weights of the same shapes."""
    shutil.copytree(folder, target)
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 5] += 1e-3
    model.save_pretrained(target)
    return target


@pytest.mark.parametrize("train", ["lora", "full"])
def test_another_base_of_equal_shape_is_named(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, train: str
) -> None:
    other = other_weights(plain_folder, tmp_path / "other")
    System(one_node(plain_folder, train=train), device="cpu", seed=1).save(tmp_path / "saved")
    system = System(one_node(other, train=train), device="cpu")
    before = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    with pytest.raises(InputError, match="not those of model 'ada'") as caught:
        system.load(tmp_path / "saved")
    assert f"trained on base {str(plain_folder)!r}" in str(caught.value)
    assert f"the graph's is base {str(other)!r}" in str(caught.value)
    for name, parameter in system.parameters("ada").items():
        assert torch.equal(parameter, before[name])


def test_a_base_that_was_replaced_is_noticed(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    base = shutil.copytree(plain_folder, tmp_path / "base")
    System(one_node(base), device="cpu").save(tmp_path / "saved")
    shutil.rmtree(base)
    other_weights(plain_folder, base)
    with pytest.raises(InputError, match="has other weights than they were trained on"):
        System(one_node(base), device="cpu", model_dir=tmp_path / "saved")


def test_the_same_base_in_another_place_or_type_is_the_same(
    one_node: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    system = System(one_node(plain_folder), device="cpu")
    jitter(system, 0.1)
    system.save(tmp_path / "saved")
    moved = shutil.copytree(plain_folder, tmp_path / "moved")
    again = System(one_node(moved), device="cpu", model_dir=tmp_path / "saved")
    assert torch.equal(scores(again, "ada"), scores(system, "ada"))
    half = one_node(plain_folder, dtype="bfloat16")
    System(half, device="cpu", model_dir=tmp_path / "saved")


def test_swapped_folders_are_noticed(
    several_nodes: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    program = several_nodes(two(plain_folder), nodes())
    system = System(program, device="cpu")
    jitter(system, 0.1)
    system.save(tmp_path)
    (tmp_path / "psi1").rename(tmp_path / "psi")
    (tmp_path / "psi2").rename(tmp_path / "psi1")
    (tmp_path / "psi").rename(tmp_path / "psi2")
    with pytest.raises(InputError, match=r"model 'psi1': they were trained as model 'psi2'"):
        System(program, device="cpu", model_dir=tmp_path)


def test_a_missing_model_would_run_untrained(
    several_nodes: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    program = several_nodes(two(plain_folder), nodes())
    System(program, device="cpu").save(tmp_path / "run" / "models")
    shutil.rmtree(tmp_path / "run" / "models" / "psi2")
    with pytest.raises(InputError, match="no weights for model 'psi2', which would run untrained"):
        System(program, device="cpu", model_dir=tmp_path / "run")
    # A run that trained psi1 alone has no other.
    alone = several_nodes(two(plain_folder), nodes(), {"train": ["psi1"]})
    (tmp_path / "run" / "program.json").write_text(alone.to_json())
    System(program, device="cpu", model_dir=tmp_path / "run")
    System(program, device="cpu", model_dir=tmp_path / "run" / "models")
    (tmp_path / "run" / "program.json").write_text(program.to_json())
    with pytest.raises(InputError, match="no weights for model 'psi2'"):
        System(program, device="cpu", model_dir=tmp_path / "run" / "models")


def test_a_model_that_was_trained_and_is_frozen_now(
    several_nodes: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    program = several_nodes(two(plain_folder), nodes())
    System(program, device="cpu").save(tmp_path / "models")
    (tmp_path / "program.json").write_text(program.to_json())
    frozen = several_nodes(two(plain_folder, psi2={"train": "frozen"}), nodes())
    with pytest.raises(InputError, match=r"'psi2' was trained there, and the graph has it `train"):
        System(frozen, device="cpu", model_dir=tmp_path)


def test_what_else_the_run_had_is_told(
    several_nodes: MakeProgram,
    plain_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program = several_nodes(two(plain_folder), nodes())
    System(program, device="cpu").save(tmp_path / "models")
    (tmp_path / "program.json").write_text(program.to_json())
    capsys.readouterr()
    System(program, device="cpu", model_dir=tmp_path)
    assert "warning" not in capsys.readouterr().err
    cooler = two(plain_folder, psi1={"temperature": 0.5, "learning_rate": 1e-3})
    System(several_nodes(cooler, nodes()), device="cpu", model_dir=tmp_path)
    said = " ".join(capsys.readouterr().err.split())
    assert "was another when trained: models.psi1.temperature was 1.0, now is 0.5" in said
    assert "learning_rate" not in said


@pytest.mark.parametrize("content", [None, "{", "[1]", '{"model": "ada"}'])
def test_folders_that_do_not_say_are_read_and_damaged_ones_are_not(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, content: str | None
) -> None:
    """Older ones and peft's own have no such file."""
    program = one_node(plain_folder)
    System(program, device="cpu").save(tmp_path)
    file = tmp_path / "ada" / "sysgraph.json"
    assert json.loads(file.read_text())["model"] == "ada"
    if content is None:
        file.unlink()
        System(program, device="cpu", model_dir=tmp_path)
        return
    file.write_text(content)
    with pytest.raises(InputError, match=r"sysgraph\.json is damaged: "):
        System(program, device="cpu", model_dir=tmp_path)


def test_tables_too(tmp_path: Path) -> None:
    def program(probs: list[float]) -> Program:
        tables = {
            name: {"kind": "table", "values": ["a", "b"], "probs": [probs]}
            for name in ("psi1", "psi2")
        }
        graph = {
            "sysgraph": 1,
            "name": "test",
            "models": tables,
            "nodes": {
                "x": {"kind": "input"},
                **{n: {"kind": "lm", "model": n, "prompt": "{{ x }}"} for n in tables},
            },
            "edges": [f"x -> {name}" for name in tables],
            "outputs": list(tables),
        }
        return sysgraph.compile(sysgraph.load(json.dumps(graph, indent=1)))

    System(program([0.5, 0.5]), device="cpu").save(tmp_path)
    System(program([0.5, 0.5]), device="cpu", model_dir=tmp_path)
    with pytest.raises(InputError, match="the table that the graph declares"):
        System(program([0.25, 0.75]), device="cpu", model_dir=tmp_path)
    (tmp_path / "psi1").rename(tmp_path / "psi")
    (tmp_path / "psi2").rename(tmp_path / "psi1")
    (tmp_path / "psi").rename(tmp_path / "psi2")
    with pytest.raises(InputError, match="trained as model 'psi2'"):
        System(program([0.5, 0.5]), device="cpu", model_dir=tmp_path)
