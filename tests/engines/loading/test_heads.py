"""A classifier's head that its files lack: random numbers, which are trained and told, or none."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sysgraph import Completion, InputError
from sysgraph.engines import Request

from .kinds import KINDS, system

REQUEST = Request("ada", "one two", Completion("a"), ("a", "b"))


@pytest.fixture
def headless(tmp_path: Path) -> Path:
    """An encoder without a classifier, as it is pretrained."""
    KINDS["classifier"].make(tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    kept = {n: w for n, w in load_file(file).items() if not n.startswith("classifier.")}
    save_file(kept, file, metadata={"format": "pt"})
    return tmp_path / "model"


@pytest.mark.parametrize("train", ["lora", "full"])
def test_a_trained_one_starts_from_the_same_numbers_and_says_so(
    train: str, headless: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    first = system("classifier", headless, train=train)
    told = capfd.readouterr().err
    assert told.count("warning") == 1
    assert "model 'ada' starts with a head of random numbers" in told
    assert "lacks classifier.bias, classifier.weight" in told
    torch.manual_seed(9)
    second = system("classifier", headless, train=train)
    assert torch.equal(first.score([REQUEST]), second.score([REQUEST]))
    assert first.digest("ada") == second.digest("ada")
    with torch.no_grad():
        for parameter in first.parameters("ada").values():
            parameter.add_(0.5)
    first.save(tmp_path / "run")
    second.load(tmp_path / "run")
    assert torch.equal(first.score([REQUEST]), second.score([REQUEST]))


def test_a_frozen_one_is_refused(headless: Path) -> None:
    with pytest.raises(InputError, match=r"no trained classifier: it lacks classifier\.bias"):
        system("classifier", headless, train="frozen")


@pytest.mark.parametrize("train", ["lora", "full"])
def test_nothing_but_a_head_may_be_missing(train: str, headless: Path) -> None:
    file = headless / "model.safetensors"
    kept = load_file(file)
    del kept["bert.encoder.layer.0.output.dense.weight"]
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"it lacks bert\.encoder\.layer\.0\.output\.dense"):
        system("classifier", headless, train=train)


def test_a_language_model_as_a_classifier(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its own head has another task: it is left out without a word."""
    KINDS["causal_lm"].make(tmp_path)
    capfd.readouterr()
    system("classifier", tmp_path)
    told = capfd.readouterr().err
    assert told.count("warning") == 1
    assert "lacks score.weight" in told
