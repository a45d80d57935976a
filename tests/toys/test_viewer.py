"""The viewer of the world "progression": a folder that transformers loads, and what it sees."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sysgraph
from sysgraph import System, toys
from sysgraph.engines import Request
from sysgraph.toys.progression.recipes import LETTERS
from sysgraph.toys.progression.scenes import render
from sysgraph.toys.progression.world import ATTRIBUTES, prompts
from sysgraph.traces.pictures import Picture
from sysgraph.traces.prompt import Illustrated
from sysgraph.traces.trace import Completion

GRAPH = """
name: looking
models:
  viewer: {{kind: vision_lm, id: {id}, train: frozen}}
nodes:
  question: {{kind: input}}
  pick: {{kind: choice, model: viewer, options: [a, b, c], prompt: "{{{{ question }}}}"}}
edges: [question -> pick]
outputs: [pick]
"""


def chances(folder: Path, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What it gives each of three pictures, and what each has of what is asked for: [N, 3]."""
    system = System(sysgraph.compile(sysgraph.load(GRAPH.format(id=folder))), device="cpu")
    random = np.random.default_rng(5)
    asked, values = [], []
    for prompt in prompts("test")[:count]:
        parts: list[str | Picture] = [prompt.text]
        had = random.permuted([0.15, 0.5, 0.85])
        for letter, value in zip(LETTERS, had, strict=True):
            levels = {a.name: a.usual for a in ATTRIBUTES} | {prompt.attribute.name: float(value)}
            pixels = (render(prompt.scene, levels, random) * 255).astype(np.uint8)
            parts += [f" {letter} ", Picture.of(Image.fromarray(pixels))]
        context = Illustrated([*parts, " ?"])
        asked += [Request("viewer", context, Completion(x), LETTERS) for x in LETTERS]
        values.append(had)
    with torch.no_grad():
        found = system.score(asked).exp().view(-1, 3)
    return found, torch.tensor(np.array(values))


def test_it_is_built_and_names_a_picture(quick_recipes: Path) -> None:
    found, _ = chances(toys.model_folder("toy:viewer"), 2)
    torch.testing.assert_close(found.sum(1), torch.ones(2))


@pytest.mark.slow
def test_it_sees_more_often_than_not(built: Callable[[str], Path]) -> None:
    found, values = chances(built("toy:viewer"), 72)
    right = found.gather(1, values.argmax(1, keepdim=True)).mean().item()
    assert 0.5 < right < 0.85  # chance is 1/3
