"""Inputs of "retouch": prompts of the world "progression", each with a photo of its scene."""

from typing import Any

import numpy as np

from ...support.errors import InputError
from . import world
from .scenes import render


def photos(split: str) -> list[dict[str, Any]]:
    """The prompts of "train" (216) or "test" (72) with a photo each, the same on every call.

    Returns:
        Rows {"prompt", "photo", "scene", "attribute", "style"}: a Pillow image, and texts.

    Raises:
        InputError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError:
        said = "photos need Pillow: pip install 'sysgraph[diffusion]'"
        raise InputError(said) from None
    random = np.random.default_rng(["train", "test"].index(split))
    rows = []
    for row in world.inputs(split):
        usual = {a.name: float(a.usual + random.normal(0, 0.06)) for a in world.ATTRIBUTES}
        pixels = (render(row["scene"], usual, random) * 255).round().astype(np.uint8)
        rows.append({**row, "photo": Image.fromarray(pixels)})
    return rows
