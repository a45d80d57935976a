"""Between images and latents, in float32 and out of every gradient."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...support.errors import RunError
from ..checkpoints import shapes
from ..digest import digest_of, weights_in

# Pixels in one pass: eight images of 512 x 512.
_PIXELS_PER_PASS = 8 * 512 * 512


class Autoencoder:
    """The VAE of a pipeline, with the scaling between its latents and the denoiser's."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        config = vae.config
        self.factor = 2 ** (len(config.block_out_channels) - 1)
        """Pixels along one side of a latent."""
        self.channels = int(config.latent_channels)
        shifts = config.get("latents_mean") or [config.get("shift_factor") or 0.0]
        self._shift = self._channelwise(shifts)
        self._scale = config.scaling_factor / self._channelwise(config.get("latents_std") or [1.0])
        scaling = {"shift": self._shift, "scale": self._scale}
        self.name = digest_of({**weights_in(vae), **scaling})
        """Tells its latents from other autoencoders'."""

    def shape(self, width: int, height: int) -> tuple[int, ...]:
        """(C, H, W) of the latents of an image of so many pixels."""
        return self.channels, height // self.factor, width // self.factor

    @torch.no_grad()
    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """The latents of RGB images of one size: [B, C, H, W], float32.

        The mode of the posterior, so that an image's latents are the same at every step, for policy
        and reference; published code samples from it, whose spread is far below the noise of all
        but the first timesteps. One image at a time: in a batch its last bits would depend on what
        is encoded beside it, and those of a resumed run on where it was stopped.

        Raises:
            RunError: they are not finite.
        """
        parts = []
        for image in images:
            pixels = torch.from_numpy(np.array(image))[None]  # (1, H, W, 3)
            x = pixels.to(self._vae.device).permute(0, 3, 1, 2).float() / 127.5 - 1
            parts.append(self._normal(x))
        latents = torch.cat(parts)
        if not shapes.are_all() and not latents.isfinite().all():
            raise RunError("the VAE gave latents that are not finite for an image that is")
        return latents

    @torch.no_grad()
    def decode(self, latents: Tensor) -> list[Image.Image]:
        """The RGB images of latents [B, C, ..., H, W].

        Raises:
            RunError: their pixels are not finite.
        """
        out = []
        for x in self.decoding(latents):
            if not x.isfinite().all():
                raise RunError("the VAE gave pixels that are not finite for latents that are")
            pixels = ((x / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)
            out += [Image.fromarray(one) for one in pixels.cpu().numpy()]
        return out

    def decoding(self, latents: Tensor) -> Iterator[Tensor]:
        """The pixels [b, 3, H, W] of latents, a few images at a time; in about [-1, 1]."""
        size = self._per_pass(latents.shape[-2] * self.factor, latents.shape[-1] * self.factor)
        yield from map(self._pixels, latents.float().split(size))

    @torch.no_grad()
    def raw(self, x: Tensor) -> Tensor:
        """The mode of pixels [B, 3, H, W] in [-1, 1] as the VAE has it, unscaled: [B, C, h, w]."""
        return torch.cat([self._encoded(one) for one in x.to(self._vae.device).float().split(1)])

    def _normal(self, x: Tensor) -> Tensor:
        """The latents of pixels [B, 3, H, W] in [-1, 1]."""
        latents: Tensor = (self._encoded(x) - self._shift) * self._scale
        return latents

    def _pixels(self, latents: Tensor) -> Tensor:
        """The pixels [B, 3, H, W] in about [-1, 1] of latents."""
        found: Tensor = self._vae.decode(latents / self._scale + self._shift).sample
        return found

    def _encoded(self, x: Tensor) -> Tensor:
        """The latents of pixels, as they come out of the VAE; a tiny one has no posterior."""
        out = self._vae.encode(x)
        latents: Tensor = out.latent_dist.mode() if hasattr(out, "latent_dist") else out.latents
        return latents

    def _channelwise(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, device=self._vae.device).float().view(1, -1, 1, 1)

    @staticmethod
    def _per_pass(height: int, width: int) -> int:
        return max(1, _PIXELS_PER_PASS // (height * width))
