"""graphs/hub/retouch_kontext.yaml on small models of the same classes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

from ..cli.test_run import here
from ..engines.diffusion.edit_folders import save_kontext, small_area
from ..engines.vision.conftest import _qwen as save_qwen_vl

GRAPH = Path(__file__).parents[2] / "graphs" / "hub" / "retouch_kontext.yaml"


def save_looker(folder: Path) -> None:
    """A model that looks, with room for the graph's prompt."""
    torch.manual_seed(0)
    save_qwen_vl(folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 512
    (folder / "config.json").write_text(json.dumps(config))


def test_is_right_as_it_is_and_takes_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both models learn from a pair of edits of one photo."""
    small_area(monkeypatch)
    done = here(["check", str(GRAPH)], monkeypatch, capsys)
    assert (done.code, done.out, done.err) == (0, f"{GRAPH}: ok\n", "")
    done = here(["compile", str(GRAPH)], monkeypatch, capsys)
    assert "of (v - v_model(z_sigma, sigma, picture, instruction))^2" in done.out
    random = np.random.default_rng(0)
    for name, shape in {"photo": (24, 32, 3), "good": (8, 8, 3), "bad": (8, 8, 3)}.items():
        pixels = random.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    pair = {
        "inputs": {"photo": "photo.png", "wish": "red"},
        "chosen": {"instruction": "a red circle", "edited": "good.png"},
        "rejected": {"instruction": "a blue square", "edited": "bad.png"},
    }
    (tmp_path / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    save_looker(tmp_path / "looker")
    editor = save_kontext(tmp_path / "editor")
    settings = {
        "models.looker.id": tmp_path / "looker",
        "models.editor.id": editor,
        "models.editor.width": 8,
        "models.editor.height": 8,
        "models.editor.gradient_checkpointing": "false",
        "fit.steps": 2,
        "fit.batch_size": 1,
        "fit.gradient_accumulation_steps": 1,
        "fit.warmup_steps": 0,
        "fit.eval_fraction": 0,
    }
    sets = [f"--set={key}={value}" for key, value in settings.items()]
    run = tmp_path / "run"
    data = ["--data", str(tmp_path / "pairs.jsonl"), "--output", str(run)]
    done = here(["fit", str(GRAPH), *data, *sets], monkeypatch, capsys)
    assert done.code == 0, done.err
    pipeline = DiffusionPipeline.from_pretrained(editor, use_safetensors=True)
    pipeline.load_lora_weights(run / "models" / "editor")
    for model, file in (
        ("looker", "adapter_model.safetensors"),
        ("editor", "pytorch_lora_weights.safetensors"),
    ):
        weights = load_file(run / "models" / model / file)
        moved = [weight.abs().max() > 0 for name, weight in weights.items() if "lora_B" in name]
        assert moved, model
        assert all(moved), model
