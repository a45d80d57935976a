"""How much of each attribute a picture has, from its pixels; and pictures that have as much.

The measures are independent: the mean over all channels, red's share of it, and how far pixels
stray from the mean. So one can change and the others stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .world import Attribute

if TYPE_CHECKING:
    from PIL.Image import Image

# The raw measure of an attribute at 0 and at 1.
RANGES = {
    "brightness": (0.15, 0.60),  # mean of all channels
    "redness": (0.20, 0.58),  # red / (red + green + blue), of the channels' means
    "fog": (0.42, 0.06),  # standard deviation over pixels of their mean, divided by brightness
}


def measure(attribute: str, pixels: NDArray[np.floating]) -> float:
    """How much of an attribute a picture has: 0 to 1.

    Args:
        pixels: [height, width, 3], RGB in 0 to 1.
    """
    at_0, at_1 = RANGES[attribute]
    return float(np.clip((_raw(attribute, pixels) - at_0) / (at_1 - at_0), 0, 1))


def measured(attribute: Attribute, image: Image) -> float:
    """How much of an attribute an image has: 0 to 1."""
    return measure(attribute.name, np.asarray(image.convert("RGB"), np.float32) / 255)


def likeness(one: Image, other: Image) -> float:
    """How far two pictures show the same thing: 0 to 1.

    The correlation of their pixels' means over channels, which does not change with how bright,
    foggy or red a picture is; 0 of those that correlate the other way round.
    """
    same_size = other.resize(one.size)
    left, right = (
        np.asarray(image.convert("RGB"), np.float32).mean(2).ravel() for image in (one, same_size)
    )
    spread = float(left.std() * right.std())
    if not spread:  # nothing is to be seen in one of them
        return 0.0
    return float(np.clip(((left - left.mean()) * (right - right.mean())).mean() / spread, 0, 1))


def _raw(attribute: str, pixels: NDArray[np.floating]) -> float:
    mean = float(pixels.mean()) + 1e-6  # a black picture has no other attributes
    if attribute == "brightness":
        return mean
    if attribute == "redness":
        return float(pixels[..., 0].mean()) / (3 * mean)
    return float(pixels.mean(2).std()) / mean


def tuned(pixels: NDArray[np.floating], values: Mapping[str, float]) -> NDArray[np.float32]:
    """A picture's colours changed so that its attributes measure `values`.

    Where that would take a pixel out of 0 to 1 it stays at the limit, and the measures differ a
    little from `values`.
    """
    raw = {name: at_0 + (at_1 - at_0) * values[name] for name, (at_0, at_1) in RANGES.items()}
    red, rest = raw["redness"], (1 - raw["redness"]) / 2
    color = 3 * raw["brightness"] * np.array([red, rest, rest])
    tinted = pixels * color / pixels.mean((0, 1))
    spread = tinted.mean(2).std() / raw["brightness"]
    return np.asarray(color + (tinted - color) * raw["fog"] / spread, np.float32).clip(0, 1)
