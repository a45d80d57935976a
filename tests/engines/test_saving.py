"""What `save` writes is what peft and transformers read, and what `load` reads back."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, GenerationConfig

from sysgraph import Program, System

from .rows import expected, gradients, requests, scores

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]


@pytest.mark.parametrize("name", ["ada", "a", "q_proj", "mlp", "model", "train", "lora_A"])
def test_saved_adapter_is_a_peft_adapter_whatever_its_name(
    several_nodes: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path, name: str
) -> None:
    base = {"id": str(plain_folder), "lora": {"r": 4, "alpha": 8}}
    program = several_nodes(
        {name: base, f"{name}{name}": base},
        {n: {"model": n, "prompt": "{{ question }}"} for n in (name, f"{name}{name}")},
    )
    system = System(program, device="cpu")
    jitter(system, 0.1)
    system.set_reference(name, {n: p.detach() for n, p in system.parameters(name).items()})
    found = scores(system, name)
    assert torch.equal(scores(system, name, reference=True), found)
    system.save(tmp_path)
    fresh = AutoModelForCausalLM.from_pretrained(plain_folder)
    loaded = PeftModel.from_pretrained(fresh, tmp_path / name)
    torch.testing.assert_close(found, expected(plain_folder, loaded))


def test_adapters_on_embeddings_and_output_layer(
    one_node: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    lora = {"r": 4, "alpha": 8, "target_modules": ["embed_tokens", "lm_head", "q_proj"]}
    system = System(one_node(plain_folder, lora=lora), device="cpu")
    assert len(system.parameters("ada")) == 2 * (1 + 1 + 2)
    jitter(system, 0.1)
    system.save(tmp_path)
    fresh = AutoModelForCausalLM.from_pretrained(plain_folder)
    loaded = PeftModel.from_pretrained(fresh, tmp_path / "ada")
    torch.testing.assert_close(scores(system, "ada"), expected(plain_folder, loaded))
    system.score(requests("ada")).sum().backward()
    assert all(g is not None for g in gradients(system, "ada").values())


@pytest.mark.parametrize("train", ["lora", "full"])
def test_load_reads_what_save_wrote(
    one_node: MakeProgram, chat_folder: Path, jitter: Jitter, tmp_path: Path, train: str
) -> None:
    program = one_node(chat_folder, train=train)
    system = System(program, device="cpu")
    jitter(system, 0.1)
    system.save(tmp_path)
    other = System(program, device="cpu", seed=1)
    assert not torch.isclose(scores(other, "ada"), scores(system, "ada")).any()
    other.load(tmp_path)
    assert torch.equal(scores(other, "ada"), scores(system, "ada"))
    other.score(requests("ada")).sum().backward()  # still trains
    assert any(p.grad is not None and p.grad.any() for p in other.parameters("ada").values())


def test_saved_full_model_is_a_checkpoint(
    one_node: MakeProgram, chat_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    system = System(one_node(chat_folder, train="full"), device="cpu")
    jitter(system, 0.05)
    system.save(tmp_path)
    folder = tmp_path / "ada"
    module = AutoModelForCausalLM.from_pretrained(folder)
    torch.testing.assert_close(scores(system, "ada"), expected(folder, module))
    kept, original = (GenerationConfig.from_pretrained(f) for f in (folder, chat_folder))
    assert kept.eos_token_id == original.eos_token_id
    assert kept.repetition_penalty == original.repetition_penalty


def test_full_model_loads_into_another_dtype(
    one_node: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    system = System(one_node(plain_folder, train="full"), device="cpu")
    jitter(system, 0.1)
    system.save(tmp_path)
    halves = System(one_node(plain_folder, train="full", dtype="bfloat16"), device="cpu")
    halves.load(tmp_path)
    for name, parameter in halves.parameters("ada").items():
        assert torch.equal(parameter, system.parameters("ada")[name])
