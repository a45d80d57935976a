"""Flow-DPO (Liu et al. 2025) by a loop that does as the published code of Diffusion-DPO does.

As `published_diffusion`, on a Stable Diffusion 3: every step encodes the pixels of both images and
the caption, mixes both images with one noise at one time, runs the policy's transformer with
gradients and the reference's without, and compares mean squared errors of the velocity.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusion3Pipeline
from torch import Tensor

from .published_loop import PublishedLoop


class PublishedFlow(PublishedLoop):
    """A pipeline in training; see `PublishedLoop`."""

    def __init__(
        self, folder: Path, *, lora: Mapping[str, Any] | None, beta: float, device: str
    ) -> None:
        none = {"text_encoder_3": None, "tokenizer_3": None}
        self._pipeline: Any = StableDiffusion3Pipeline.from_pretrained(folder, **none)
        self._pipeline.to(device)
        for frozen in (self._pipeline.text_encoder, self._pipeline.text_encoder_2):
            frozen.requires_grad_(False).eval()
        again: Any = None
        if lora is None:
            again = StableDiffusion3Pipeline.from_pretrained(folder, **none).transformer
        super().__init__(
            self._pipeline.transformer,
            again,
            self._pipeline.vae,
            lora=lora,
            beta=beta,
            device=device,
        )

    def step(self, row: Mapping[str, Any], noise: Tensor, sigma: float) -> Tensor:
        """Takes a step on a pair; its loss.

        Args:
            row: the caption, and the paths of both images.
            noise: [1, C, H, W].
            sigma: the time of both images.
        """
        config = self._vae.config
        with torch.no_grad():
            latents = self._vae.encode(self._pixels(row)).latent_dist.mode()
            latents = (latents - config.shift_factor) * config.scaling_factor
            states, _, pooled, _ = self._pipeline.encode_prompt(
                [row["inputs"]["caption"]], None, None, do_classifier_free_guidance=False
            )
        noises = noise.to(self._device).repeat(2, 1, 1, 1)
        mixed, velocity = (1 - sigma) * latents + sigma * noises, noises - latents

        def errors(transformer: Any) -> Tensor:
            predicted = transformer(
                mixed,
                timestep=torch.full((2,), 1000 * sigma, device=self._device),
                encoder_hidden_states=states.repeat(2, 1, 1),
                pooled_projections=pooled.repeat(2, 1),
            ).sample
            found: Tensor = (predicted - velocity).pow(2).mean(dim=[1, 2, 3])
            return found

        return self._stepped(errors)
