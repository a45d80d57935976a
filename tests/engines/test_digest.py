"""A digest tells a model's base from every other one, and nothing else changes it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from sysgraph import Program, System
from sysgraph.engines.digest import digest_of
from sysgraph.engines.table import TableEngine
from sysgraph_schemas import Table

from .diffusion.folders import save_sd

MakeProgram = Callable[..., Program]
Jitter = Callable[[System, float], None]


def _nudge(file: Path, name: str) -> None:
    """The smallest change of one number of one weight."""
    weights = load_file(file)
    first = weights[name].view(-1)[:1]
    first.copy_(torch.nextafter(first, first + 1))
    save_file(weights, file, metadata={"format": "pt"})


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_what_changes_it(name: str) -> None:
    weights = {"first": torch.arange(6.0), "second": torch.zeros(0)}
    other: dict[str, Any] = {
        "a": {**weights, "first": torch.arange(6.0).view(2, 3)},
        "b": {"renamed": weights["first"], "second": weights["second"]},
        "c": {"first": weights["first"]},
        "d": {**weights, "first": weights["first"].view(torch.int32)},
    }
    assert digest_of(other[name]) != digest_of(weights)
    assert digest_of(dict(reversed(weights.items()))) == digest_of(weights)


@pytest.mark.parametrize("train", ["frozen", "lora", "full"])
def test_a_checkpoint(
    train: str, one_node: MakeProgram, plain_folder: Path, jitter: Jitter, tmp_path: Path
) -> None:
    def digest(folder: Path, **spec: Any) -> str:
        return System(one_node(folder, **spec), device="cpu").digest("ada")

    found = digest(plain_folder, train="frozen")
    system = System(one_node(plain_folder, train=train), device="cpu")
    jitter(system, 0.1)
    assert system.digest("ada") == found  # of the base, whatever is trained beside it

    sharded = tmp_path / "sharded"
    shutil.copytree(plain_folder, sharded)
    (sharded / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(plain_folder).save_pretrained(
        sharded, max_shard_size="20kB"
    )
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert digest(sharded, train=train) == found

    other = tmp_path / "other"
    shutil.copytree(plain_folder, other)
    _nudge(other / "model.safetensors", "model.layers.1.mlp.up_proj.weight")
    assert digest(other, train=train) != found


@pytest.mark.parametrize(
    ("part", "file", "weight"),
    [
        ("unet", "diffusion_pytorch_model", "conv_out.bias"),
        ("vae", "diffusion_pytorch_model", "decoder.conv_out.bias"),
        ("text_encoder", "model", "final_layer_norm.bias"),
    ],
)
def test_every_part_of_a_pipeline(part: str, file: str, weight: str, tmp_path: Path) -> None:
    from sysgraph.engines.diffusion import DiffusionEngine
    from sysgraph_schemas import Diffusion

    def digest(train: str) -> str:
        spec = Diffusion(id=str(tmp_path / "sd"), inference_steps=4, train=train)
        return DiffusionEngine({"ada": spec}, device=torch.device("cpu"), seed=0).digest("ada")

    save_sd(tmp_path / "sd")
    found = digest("lora")
    assert digest("frozen") == found
    _nudge(tmp_path / "sd" / part / f"{file}.safetensors", weight)
    assert digest("lora") != found


def test_a_table() -> None:
    def digest(**spec: Any) -> str:
        engine = TableEngine({"coin": Table(**spec)}, device=torch.device("cpu"), seed=0)
        with torch.no_grad():
            for logits in engine.parameters("coin").values():
                logits.add_(1.5)
        return engine.digest("coin")

    fair = digest(values=["a", "b"])
    assert fair == digest(values=["a", "b"], train="frozen")
    assert (
        len({fair, digest(values=["b", "a"]), digest(values=["a", "b"], probs=[[0.3, 0.7]])}) == 3
    )
