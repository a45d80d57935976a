"""The hub's graphs with a painter of flow matching, on small models of the same classes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from peft import PeftModel
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from ..cli.test_run import here
from ..engines.diffusion.flow_folders import save_flux, save_sd3
from .test_progression_sd15 import words

HUB = Path(__file__).parents[2] / "graphs" / "hub"
PAINTERS = {"progression_sd35": save_sd3, "progression_flux": save_flux}


def save_llama(folder: Path) -> Path:
    tokenizer = words()
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.bos_token_id,
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_pairs(folder: Path) -> Path:
    """A pair of three images of 8 x 8 and their captions."""
    rng = np.random.default_rng(0)

    def side(name: str) -> dict[str, Any]:
        files = [f"{name}-{i}.png" for i in range(3)]
        for file in files:
            image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            image.save(folder / file)
        levels = ("dim", "fair", "bright") if name == "chosen" else ("bright", "fair", "dim")
        text = " ".join(f"<caption> {level} lake </caption>" for level in levels)
        return {"text": text, "image": files}

    path = folder / "pairs.jsonl"
    sides = {name: side(name) for name in ("chosen", "rejected")}
    path.write_text(json.dumps({"inputs": {"prompt": "show lake"}, **sides}) + "\n")
    return path


@pytest.mark.parametrize("name", PAINTERS)
def test_is_right_as_it_is_and_takes_steps(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = HUB / f"{name}.yaml"
    done = here(["check", str(graph)], monkeypatch, capsys)
    assert (done.code, done.out, done.err) == (0, f"{graph}: ok\n", "")
    llama, painter = save_llama(tmp_path / "llama"), PAINTERS[name](tmp_path / "painter")
    settings = {
        "models.captioner.id": llama,
        "models.painter.id": painter,
        "models.painter.width": 8,
        "models.painter.height": 8,
        "fit.steps": 2,
        "fit.batch_size": 1,
        "fit.gradient_accumulation_steps": 1,
        "fit.warmup_steps": 0,
        "fit.eval_fraction": 0,
        "fit.scorer": "null",
    }
    sets = [f"--set={key}={value}" for key, value in settings.items()]
    run = tmp_path / "run"
    data = ["--data", str(write_pairs(tmp_path)), "--output", str(run)]
    done = here(["fit", str(graph), *data, *sets], monkeypatch, capsys)
    assert done.code == 0, done.err
    PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(llama), run / "models" / "captioner"
    )
    folder = run / "models" / "painter"
    pipeline = DiffusionPipeline.from_pretrained(painter, use_safetensors=True)
    pipeline.load_lora_weights(folder)
    weights = load_file(folder / "pytorch_lora_weights.safetensors")
    assert all(name.startswith("transformer.") for name in weights)
    moved = [weight.abs().max() > 0 for name, weight in weights.items() if "lora_B" in name]
    assert moved
    assert all(moved)
