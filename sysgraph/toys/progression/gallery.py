"""The pictures that the painter learns from, and the edits that the editor does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .scenes import Pixels, render
from .world import ATTRIBUTES, LEVELS, SCENES, caption, intensity


@dataclass(frozen=True)
class Gallery:
    """Captioned pictures."""

    images: torch.Tensor
    """[N, 3, H, W], -1 to 1 as autoencoders of diffusion pipelines have them."""
    captions: tuple[str, ...]


def make_gallery(count: int, looseness: float, seed: int) -> Gallery:
    """Pictures of random scenes, levels and attributes.

    Args:
        looseness: standard deviation of the attribute's value around what the caption means.
    """
    random = np.random.default_rng(seed)
    pictures: list[Pixels] = []
    captions = []
    for _ in range(count):
        scene = SCENES[random.integers(len(SCENES))]
        stated = ATTRIBUTES[random.integers(len(ATTRIBUTES))]
        level = int(random.integers(len(LEVELS)))
        values = {a.name: a.usual + random.normal(0, 0.06) for a in ATTRIBUTES}
        values[stated.name] = intensity(level) + random.normal(0, looseness)
        values = {name: float(np.clip(value, 0, 1)) for name, value in values.items()}
        pictures.append(render(scene, values, random))
        captions.append(caption(level, stated, scene))
    return Gallery(_tensor(pictures), tuple(captions))


@dataclass(frozen=True)
class Edits:
    """Pictures before and after an edit, and what was asked for."""

    sources: torch.Tensor
    """[N, 3, H, W], -1 to 1."""
    gallery: Gallery
    """What came of them, under the captions that were to be theirs."""


def make_edits(count: int, looseness: float, seed: int) -> Edits:
    """Of random pictures, one attribute each becomes what a caption says; all else stays.

    Args:
        looseness: as for `make_gallery`.
    """
    random = np.random.default_rng(seed)
    before: list[Pixels] = []
    after: list[Pixels] = []
    captions = []
    for _ in range(count):
        scene = SCENES[random.integers(len(SCENES))]
        stated = ATTRIBUTES[random.integers(len(ATTRIBUTES))]
        level = int(random.integers(len(LEVELS)))
        values = {
            a.name: float(np.clip(a.usual + random.normal(0, 0.12), 0, 1)) for a in ATTRIBUTES
        }
        wanted = float(np.clip(intensity(level) + random.normal(0, looseness), 0, 1))
        drawn = int(random.integers(2**32))
        for pictures, of in ((before, values), (after, {**values, stated.name: wanted})):
            pictures.append(render(scene, of, np.random.default_rng(drawn)))
        captions.append(caption(level, stated, scene))
    return Edits(_tensor(before), Gallery(_tensor(after), tuple(captions)))


def _tensor(pictures: list[Pixels]) -> torch.Tensor:
    """[N, 3, H, W], -1 to 1."""
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return images * 2 - 1
