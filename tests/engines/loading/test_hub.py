"""Ids of the Hub, from a cache on this machine: the same rules as for folders."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sysgraph import InputError

from ..diffusion.folders import save_sd
from .kinds import KINDS, system

COMMIT = "a" * 40


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts what a function writes into the cache as the Hub's client would have."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)

    def put(name: str, make: Callable[[Path], object]) -> Path:
        root = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        (root / "refs").mkdir(parents=True)
        (root / "refs" / "main").write_text(COMMIT)
        folder = root / "snapshots" / COMMIT
        folder.parent.mkdir()
        make(folder)
        return folder

    return put


def test_whole_ones_are_loaded(publish: Callable[..., Path]) -> None:
    lm = publish("someone/lm", KINDS["causal_lm"].make)
    found = system("causal_lm", "someone/lm")
    assert found.digest("ada") == system("causal_lm", lm).digest("ada")
    sd = publish("someone/sd", save_sd)
    found = system("diffusion", "someone/sd", inference_steps=2)
    assert found.digest("ada") == system("diffusion", sd, inference_steps=2).digest("ada")


def test_what_is_refused(publish: Callable[..., Path], tmp_path: Path) -> None:
    pickled = publish("someone/pickled", KINDS["causal_lm"].make)
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    adapter = publish("someone/adapter", KINDS["causal_lm"].make)
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/lm"}')
    for name, said in (
        ("pickled", "it has no safetensors files"),
        ("adapter", "it is an adapter on 'someone/lm'"),
        ("absent", f"nor is there a folder {tmp_path / 'someone' / 'absent'}"),
    ):
        with pytest.raises(InputError) as caught:
            system("causal_lm", f"someone/{name}")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
