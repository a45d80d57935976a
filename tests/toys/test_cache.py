"""How toy models are built and kept: once, whole, the same again, and without side effects."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from sysgraph import toys
from sysgraph.toys import cache, recipes

AGGREGATOR = "toy:aggregator"
QUICK = """
import dataclasses, sys, time
from pathlib import Path
from sysgraph.toys import cache, recipes
recipes.RECIPES = (dataclasses.replace(recipes.find("toy:aggregator"), steps=3),)
"""
BUILD = QUICK + "print(cache.model_folder('toy:aggregator'))"
STALL = QUICK + (
    """
def stall(recipe, staging, folder):
    (staging / "config.json").write_text("{}")
    (staging / "model.safetensors").write_bytes(bytes(100))
    print("half", flush=True)
    time.sleep(600)

cache._write_checkpoint = stall
cache.model_folder("toy:aggregator")
"""
)


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "toys").iterdir() if path.suffix != ".lock")


def test_names() -> None:
    assert toys.model_names() == (
        "toy:specialist-color",
        "toy:specialist-shape",
        "toy:specialist-size",
        "toy:aggregator",
        "toy:captioner",
        "toy:captioner-ordered",
        "toy:painter",
        "toy:editor",
        "toy:viewer",
        "toy:clerk",
    )
    assert all(map(toys.is_toy, toys.model_names()))
    assert not toys.is_toy("org/toy")
    assert not toys.is_toy("./toy:aggregator")


def test_an_unknown_model_is_an_error_that_helps() -> None:
    with pytest.raises(ValueError, match="did you mean 'toy:specialist-color'") as error:
        toys.model_folder("toy:specialist-colour")
    assert all(name in str(error.value) for name in toys.model_names())


def test_the_cache_follows_the_environment_and_the_recipe(
    quick_recipes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {recipes.fingerprint(recipe) for recipe in recipes.RECIPES}
    assert len(names) == len(recipes.RECIPES)
    folder = toys.model_folder(AGGREGATOR)
    assert folder.parent.parent == quick_recipes
    monkeypatch.setattr(recipes.SpecialistRecipe, "code_version", 2)
    assert toys.model_folder(AGGREGATOR) != folder
    assert len(entries(quick_recipes)) == 2


@pytest.mark.parametrize(
    ("model_id", "weights"),
    [
        (AGGREGATOR, "model.safetensors"),
        ("toy:captioner", "model.safetensors"),
        ("toy:painter", "unet/diffusion_pytorch_model.safetensors"),
    ],
)
def test_a_rebuild_has_the_same_weights_and_leaves_the_caller_alone(
    quick_recipes: Path, monkeypatch: pytest.MonkeyPatch, model_id: str, weights: str
) -> None:
    def build(name: str) -> dict[str, bytes]:
        monkeypatch.setenv("SYSGRAPH_CACHE", str(quick_recipes / name))
        folder = toys.model_folder(model_id)
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    torch.manual_seed(1)
    states, threads = (torch.get_rng_state(), random.getstate()), torch.get_num_threads()
    first = build("a")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert torch.get_num_threads() == threads

    torch.manual_seed(2)
    with torch.no_grad():
        assert build("b") == first
    assert weights in first


def test_two_processes_at_once_build_one_model(quick_recipes: Path) -> None:
    both = [start(BUILD), start(BUILD)]
    results = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert results[0][0] == results[1][0]
    assert sum("building" in err for _, err in results) == 1
    assert entries(quick_recipes) == [Path(results[0][0].strip()).name]


def test_a_killed_build_is_never_taken_for_a_model(quick_recipes: Path) -> None:
    process = start(STALL)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.kill()
    process.wait()
    folder = toys.model_folder(AGGREGATOR)
    assert entries(quick_recipes) == [folder.name]
    AutoModelForCausalLM.from_pretrained(folder)


def test_a_failed_build_leaves_nothing(
    quick_recipes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(recipe: recipes.Recipe, staging: Path, folder: Path) -> None:
        (staging / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "_write_checkpoint", fail)
    with pytest.raises(KeyboardInterrupt):
        toys.model_folder(AGGREGATOR)
    assert entries(quick_recipes) == []
