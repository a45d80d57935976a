"""Diffusion-DPO (Wallace et al. 2023) by a loop that does as the published code.

github.com/SalesforceAIResearch/DiffusionDPO, train.py: every step encodes the pixels of both
images with the VAE and the caption with the text encoder, noises both with one noise at one
timestep, runs the policy's UNet with gradients and the reference's without, and compares mean
squared errors. Here latents are the posterior's mode instead of a sample, as in sysgraph, at the
same cost. With LoRA the reference is the same UNet with adapters off, as in diffusers' example.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from PIL import Image
from torch import Tensor, nn

from .ours import LEARNING_RATE

_ADAPTER = "policy"


class PublishedDiffusion:
    """A pipeline in training.

    Args:
        lora: `peft.LoraConfig`'s settings; None: the whole UNet is trained.
        beta: the published code's `--beta_dpo`.
    """

    def __init__(
        self, folder: Path, *, lora: Mapping[str, Any] | None, beta: float, device: str
    ) -> None:
        pipeline: Any = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
        pipeline.to(device)
        self._vae, self._text = pipeline.vae, pipeline.text_encoder
        self._tokenizer, self._unet = pipeline.tokenizer, pipeline.unet
        self._schedule: Any = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
        for frozen in (self._vae, self._text):
            frozen.requires_grad_(False).eval()
        self._reference: Any = None
        if lora is None:
            again: Any = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
            self._reference = again.unet.to(device).requires_grad_(False).eval()
            self._unet.requires_grad_(True)
        else:
            self._unet.requires_grad_(False).add_adapter(LoraConfig(**lora), _ADAPTER)
        self._beta, self._device = beta, device
        self._optimizer = torch.optim.AdamW(self.parameters().values(), LEARNING_RATE)

    @property
    def timesteps(self) -> int:
        """Those of training."""
        return int(self._schedule.config.num_train_timesteps)

    @property
    def latents(self) -> tuple[int, int, int]:
        """The shape of an image's latents."""
        config = self._unet.config
        return config.in_channels, config.sample_size, config.sample_size

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by the names that sysgraph gives it."""
        return {
            name.replace(f".{_ADAPTER}.", "."): parameter
            for name, parameter in self._unet.named_parameters()
            if parameter.requires_grad
        }

    def step(self, row: Mapping[str, Any], noise: Tensor, timestep: int) -> Tensor:
        """Takes a step on a pair; its loss.

        Args:
            row: the caption, and the paths of both images.
            noise: [1, C, H, W].
        """
        pixels = self._pixels([row[side]["image"] for side in ("chosen", "rejected")])
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

        model = errors(self._unet)
        with torch.no_grad():
            reference = self._without(errors)
        inside = -0.5 * self._beta * ((model[0] - model[1]) - (reference[0] - reference[1]))
        loss: Tensor = -F.logsigmoid(inside)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters().values(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.detach()

    def _without(self, errors: Any) -> Any:
        """What the reference gives."""
        if self._reference is not None:
            return errors(self._reference)
        self._unet.disable_adapters()
        found = errors(self._unet)
        self._unet.enable_adapters()
        return found

    def _pixels(self, paths: Sequence[str]) -> Tensor:
        """[2, 3, H, W] in -1 to 1."""
        several = [torch.from_numpy(np.array(Image.open(path).convert("RGB"))) for path in paths]
        pixels = torch.stack(several).to(self._device)
        return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1

    def _ids(self, caption: str) -> Tensor:
        found = self._tokenizer(
            caption, padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        assert isinstance(found, Tensor)
        return found.to(self._device)
