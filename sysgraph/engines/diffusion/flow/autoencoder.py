"""Between images and the normalized latents of a flow, whose pipeline says how they are scaled."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ...digest import digest_of, weights_in
from ..autoencoder import Autoencoder
from .layout import Layout

SIDE = 128
"""Pixels along a side of an image, small and a multiple of what any pipeline asks for."""


class FlowAutoencoder(Autoencoder):
    """The VAE of a pipeline, of images or of videos, with the pipeline's own scaling.

    Args:
        vae: the autoencoder.
        layout: of images of so many pixels, (width, height).
    """

    def __init__(self, vae: Any, layout: Callable[[int, int], Layout]) -> None:
        self._vae, self._layout = vae, layout
        some = layout(SIDE, SIDE)  # of any size: how latents are scaled is the same
        self.factor = SIDE // some.shape[-1]
        self.channels = some.shape[0]
        self.name = digest_of(
            {**weights_in(vae), "gain": _corner(some.gain), "shift": _corner(some.shift)}
        )

    def shape(self, width: int, height: int) -> tuple[int, ...]:
        """[C, H, W] of the latents of an image of so many pixels; [C, 1, H, W] of a video's VAE."""
        return self._layout(width, height).shape

    def _normal(self, x: Tensor) -> Tensor:
        layout = self._layout(x.shape[3], x.shape[2])
        raw = self._encoded(x.unsqueeze(2) if len(layout.shape) == 4 else x)
        return layout.normal(raw.view(len(x), *layout.shape))

    def _pixels(self, latents: Tensor) -> Tensor:
        height, width = latents.shape[-2] * self.factor, latents.shape[-1] * self.factor
        found: Tensor = self._vae.decode(self._layout(width, height).raw(latents)).sample
        return found[:, :, 0] if found.dim() == 5 else found


def _corner(numbers: Tensor) -> Tensor:
    """Of [C, ..., H, W] the four upper left ones: pipelines that scale patches have 2 x 2."""
    return numbers[..., :2, :2].contiguous()
