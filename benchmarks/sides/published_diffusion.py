"""Diffusion-DPO (Wallace et al. 2023) by a loop that does as the published code.

github.com/SalesforceAIResearch/DiffusionDPO, train.py: every step encodes the pixels of both
images with the VAE and the caption with the text encoder, noises both with one noise at one
timestep, runs the policy's UNet with gradients and the reference's without, and compares mean
squared errors. Here latents are the posterior's mode instead of a sample, as in sysgraph, at the
same cost. With LoRA the reference is the same UNet with adapters off, as in diffusers' example.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from torch import Tensor

from .published_loop import PublishedLoop


class PublishedDiffusion(PublishedLoop):
    """A pipeline in training; see `PublishedLoop`."""

    def __init__(
        self, folder: Path, *, lora: Mapping[str, Any] | None, beta: float, device: str
    ) -> None:
        pipeline: Any = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
        pipeline.to(device)
        self._text, self._tokenizer = pipeline.text_encoder, pipeline.tokenizer
        self._text.requires_grad_(False).eval()
        self._schedule: Any = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
        again: Any = None
        if lora is None:
            again = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None).unet
        super().__init__(pipeline.unet, again, pipeline.vae, lora=lora, beta=beta, device=device)

    @property
    def timesteps(self) -> int:
        """Those of training."""
        return int(self._schedule.config.num_train_timesteps)

    def step(self, row: Mapping[str, Any], noise: Tensor, timestep: int) -> Tensor:
        """Takes a step on a pair; its loss.

        Args:
            row: the caption, and the paths of both images.
            noise: [1, C, H, W].
            timestep: of both images.
        """
        pixels = self._pixels(row)
        with torch.no_grad():
            latents = self._vae.encode(pixels).latent_dist.mode()
            latents = latents * self._vae.config.scaling_factor
            states = self._text(self._ids(row["inputs"]["caption"]))[0].repeat(2, 1, 1)
        noises = noise.to(self._device).repeat(2, 1, 1, 1)
        steps = torch.full((2,), timestep, device=self._device)
        noisy = self._schedule.add_noise(latents, noises, steps)

        def errors(unet: Any) -> Tensor:
            predicted = unet(noisy, steps, encoder_hidden_states=states).sample
            found: Tensor = (predicted - noises).pow(2).mean(dim=[1, 2, 3])
            return found

        return self._stepped(errors)

    def _ids(self, caption: str) -> Tensor:
        found = self._tokenizer(
            caption, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        assert isinstance(found, Tensor)
        return found.to(self._device)
