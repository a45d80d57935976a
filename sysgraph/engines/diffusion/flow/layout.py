"""How a pipeline lays an image's latents out for its denoiser, found by asking it.

Pipelines pack latents into patches (FLUX, Qwen-Image) or leave them as they are, and scale and
shift them each in its own way. Whatever they do, what they hand to their autoencoder at the end is
a rearrangement of what their denoiser worked on, each number scaled and shifted.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_BASE = 128
"""Places are told in digits: numbers that even bfloat16 has exactly."""


@dataclass(frozen=True)
class Layout:
    """Of images of one size. Latents here are as the VAE has them, normalized: [B, C, H, W].

    A VAE of videos has [B, C, 1, H, W]. All is on the pipeline's device.
    """

    packed: tuple[int, ...]
    """The shape of one image's latents as the denoiser takes them."""
    shape: tuple[int, ...]
    """And as the VAE takes them."""
    order: Tensor
    """[N], int64: where the VAE's n-th number stands in what the denoiser takes."""
    gain: Tensor
    """[*shape] float32: what normalized latents are multiplied by for the VAE."""
    shift: Tensor
    """[*shape] float32: what is then added."""

    def pack(self, latents: Tensor) -> Tensor:
        """Latents [B, *shape] as the denoiser takes them: [B, *packed]."""
        out = torch.empty_like(latents.flatten(1))
        out[:, self.order] = latents.flatten(1)
        return out.view(-1, *self.packed)

    def unpack(self, packed: Tensor) -> Tensor:
        """The inverse of `pack`, of latents or of what the denoiser predicts."""
        return packed.flatten(1)[:, self.order].view(-1, *self.shape)

    def normal(self, raw: Tensor) -> Tensor:
        """Latents [B, *shape] that the VAE gave, normalized."""
        return (raw - self.shift) / self.gain

    def raw(self, latents: Tensor) -> Tensor:
        """The inverse of `normal`."""
        return latents * self.gain + self.shift


def layout_of(start: Tensor, decoded: Callable[[Tensor], Tensor]) -> Layout:
    """The layout of a pipeline's latents.

    Args:
        start: [1, *packed] any latents, as the denoiser takes them.
        decoded: what the VAE is given for such latents, float32.

    Raises:
        ValueError: that is no rearrangement.
    """
    count = start.numel()
    shift = decoded(torch.zeros_like(start, dtype=torch.float32))[0]
    gain = decoded(torch.ones_like(start, dtype=torch.float32))[0] - shift
    order = torch.zeros(shift.numel(), dtype=torch.int64)
    places, unit = torch.arange(count), 1
    while unit <= count:
        digits = (places // unit % _BASE).view(start.shape).float().to(start.device)
        found = ((decoded(digits)[0] - shift) / gain).flatten().round()
        order += found.long().cpu() * unit
        unit *= _BASE
    if not torch.equal(order.sort().values, places):
        raise ValueError("its latents are no rearrangement of those of its VAE")
    there = order.to(start.device)
    return Layout(tuple(start.shape[1:]), tuple(shift.shape), there, gain, shift)
