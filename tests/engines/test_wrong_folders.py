"""A folder that is no model, or not this one, is refused by name, and nothing changes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from sysgraph import InputError, Program, System

MakeProgram = Callable[..., Program]


def _nothing(folder: Path) -> None:
    folder.mkdir(parents=True)


def _other_scale(folder: Path) -> None:
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "lora_alpha": 99}))


def _no_weights(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()


def _no_object(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("[1]")


def _half_a_file(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:999])


BAD_FOLDERS = {
    "empty": (None, {}, _nothing, "is no"),
    "other rank": ("lora", {"r": 2}, None, "its r is 2"),
    "other scale": ("lora", {}, _other_scale, "its lora_alpha is 99"),
    "other modules": ("lora", {"target_modules": ["q_proj"]}, None, "weight.* do not fit"),
    "no weights": ("lora", {}, _no_weights, "is no adapter"),
    "no object": ("lora", {}, _no_object, "is no adapter"),
    "half a file": ("lora", {}, _half_a_file, "is no adapter"),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_a_wrong_folder_names_the_model_and_changes_nothing(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, case: str
) -> None:
    saved, lora, spoil, said = BAD_FOLDERS[case]
    if saved:
        System(one_node(plain_folder, lora=lora), device="cpu", seed=1).save(tmp_path)
    if spoil is not None:
        spoil(tmp_path / "ada")
    system = System(one_node(plain_folder), device="cpu")
    before = {name: p.detach().clone() for name, p in system.parameters("ada").items()}
    with pytest.raises(InputError, match=said) as caught:
        system.load(tmp_path)
    assert "'ada'" in str(caught.value)
    for name, parameter in system.parameters("ada").items():
        assert torch.equal(parameter, before[name])


@pytest.mark.parametrize("spoil", [None, _nothing, _half_a_file])
def test_a_wrong_folder_for_a_full_model(
    one_node: MakeProgram,
    plain_folder: Path,
    chat_folder: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None] | None,
) -> None:
    if spoil is not _nothing:
        System(one_node(chat_folder, train="full"), device="cpu").save(tmp_path)
    if spoil is not None:
        spoil(tmp_path / "ada")
    system = System(one_node(plain_folder, train="full"), device="cpu")
    with pytest.raises(InputError, match="model 'ada'"):
        system.load(tmp_path)


def test_a_full_checkpoint_that_lacks_a_weight(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    """transformers would make the missing weight up, with a notice."""
    system = System(one_node(plain_folder, train="full"), device="cpu")
    system.save(tmp_path)
    file = tmp_path / "ada" / "model.safetensors"
    weights = load_file(file)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"model 'ada': it lacks model.layers.1.mlp.up_proj"):
        system.load(tmp_path)


def test_a_folder_without_any_of_the_models(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path
) -> None:
    system = System(one_node(plain_folder), device="cpu")
    with pytest.raises(InputError, match="no trained models of this system"):
        system.load(tmp_path / "absent")


@pytest.mark.parametrize("broken", ["absent", "empty", "no tokenizer"])
def test_a_model_that_cannot_be_loaded(
    one_node: MakeProgram, plain_folder: Path, tmp_path: Path, broken: str
) -> None:
    folder = tmp_path / "model"
    if broken != "absent":
        folder.mkdir()
    if broken == "no tokenizer":
        AutoModelForCausalLM.from_pretrained(plain_folder).save_pretrained(folder)
    with pytest.raises(InputError, match="cannot load model id"):
        System(one_node(folder), device="cpu")
