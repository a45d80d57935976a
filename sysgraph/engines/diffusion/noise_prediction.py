"""Pipelines whose UNet predicts noise at discrete timesteps: Stable Diffusion 1.5 and XL."""

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sysgraph_schemas import Diffusion
from sysgraph_schemas.models.diffusion_objective import DiffusionObjective

from ...objectives.diffusion import error_weights, noised, target, timesteps_of
from ...support.device import moved
from ...support.errors import InputError
from ...support.quiet_diffusers import quiet
from .autoencoder import Autoencoder
from .captions import TextEncoder
from .pipelines import Checkpoint, bare
from .process import Size
from .schedule import noise_schedule, sampler

_GUIDANCE = 7.5


class NoisePrediction:
    """For the methods see `process.Process`. Latents are [B, C, H, W].

    Raises:
        InputError: the pipeline's parts do not fit each other, or its schedule is not supported.
    """

    autoencoder: Autoencoder
    is_flow: bool = False
    most_rows: int | None = None

    def __init__(
        self, spec: Diffusion, found: Checkpoint, pipeline: Any, device: torch.device
    ) -> None:
        self._found, self._pipeline, self._device = found, pipeline, device
        self.schedule = noise_schedule(spec, pipeline.scheduler.config)
        self.steps = len(self.schedule)
        self.autoencoder = Autoencoder(pipeline.vae)
        self.text = TextEncoder(pipeline, device)
        channels = pipeline.unet.config.in_channels
        if channels != self.autoencoder.channels:
            raise InputError(
                f"model id {spec.id!r} is not supported: its UNet takes {channels} channels, its "
                f"images have {self.autoencoder.channels}"
            )

    def settings(self) -> tuple[object, ...]:
        """What the UNet predicts, and the noise of every timestep."""
        return self.schedule.prediction, tuple(self.schedule.alpha_bars.tolist())

    def size(self, name: str, spec: Diffusion) -> Size:
        """The spec's, or what the UNet was trained on."""
        own = self._own_size()
        if own is None and not (spec.height and spec.width):
            raise InputError(
                f"model {name!r}: {spec.id!r} does not say which size its images have (its UNet "
                "has no `sample_size`): set the model's `width` and `height`"
            )
        size = (spec.height or (own or (0, 0))[0], spec.width or (own or (0, 0))[1])
        # Stable Diffusion's pipelines ask for multiples of 8.
        unit = max(8, self.autoencoder.factor)
        if any(side % unit for side in size):
            raise InputError(
                f"model {name!r}: images of {size[1]} x {size[0]} pixels (width x height); both "
                f"must be multiples of {unit}"
            )
        return size

    def _own_size(self) -> Size | None:
        side = self._pipeline.unet.config.sample_size
        if side is None:
            return None
        height, width = (side, side) if isinstance(side, int) else side
        return height * self.autoencoder.factor, width * self.autoencoder.factor

    def levels(self, noise: Sequence[int], objective: DiffusionObjective) -> list[float]:
        """Timesteps, stratified over the draws."""
        return [float(t) for t in timesteps_of(noise, self.steps)]

    def weights(self, levels: Sequence[float], objective: DiffusionObjective) -> Tensor:
        """By the objective's `weight`, at each timestep."""
        by_step = error_weights(
            self.schedule.alpha_bars, objective.weighting, self.schedule.prediction
        )
        return by_step[_steps(levels)]

    def noised(
        self, latents: Tensor, noise: Tensor, levels: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """By the pipeline's schedule; noise, velocity or sample, whichever the UNet predicts."""
        alpha_bar = self.schedule.alpha_bars[_steps(levels)]
        wanted = target(latents, noise, alpha_bar, self.schedule.prediction)
        return noised(latents, noise, alpha_bar), wanted

    def noise_of(self, seed: int, shape: Sequence[int], size: Size) -> Tensor:
        """As the pipeline draws it, before its scheduler scales it."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(tuple(shape), generator=generator, dtype=self._found.dtype).float()

    def predicted(
        self,
        module: nn.Module,
        latents: Tensor,
        levels: Sequence[float],
        captions: Sequence[str],
        *,
        size: Size,
        guidance: float | None,
    ) -> Tensor:
        """The UNet's output."""
        condition = self.text.encode(captions)
        found: Tensor = module(
            moved(latents, self._device).to(condition.embeds),
            moved(_steps(levels), self._device),
            encoder_hidden_states=condition.embeds,
            added_cond_kwargs=condition.added(*size),
        ).sample
        return found

    def guidance_told(self, spec: Diffusion) -> float | None:
        """None: no UNet takes any."""
        return None

    def is_doubled(self, spec: Diffusion) -> bool:
        """Under classifier-free guidance."""
        return self._guidance(spec) > 1

    def _guidance(self, spec: Diffusion) -> float:
        return _GUIDANCE if spec.guidance_scale is None else spec.guidance_scale

    def drawn(
        self,
        module: nn.Module,
        captions: Sequence[str],
        seeds: Sequence[int],
        *,
        spec: Diffusion,
        size: Size,
    ) -> Tensor:
        """Latents [B, C, H, W]."""
        guided = self.is_doubled(spec)
        wanted, unguided = self.text.encode(captions), self.text.unguided(len(captions))
        conditions: dict[str, Any] = {"prompt_embeds": wanted.embeds}
        if guided:
            conditions["negative_prompt_embeds"] = unguided.embeds
        if wanted.pooled is not None:
            conditions["pooled_prompt_embeds"] = wanted.pooled
            if guided:
                conditions["negative_pooled_prompt_embeds"] = unguided.pooled
        with quiet():
            scheduler = sampler(spec, self._pipeline)
            pipeline = bare(self._found, self._pipeline, unet=module, scheduler=scheduler)
            pipeline.set_progress_bar_config(disable=True)
            out: Tensor = pipeline(
                **conditions,
                height=size[0],
                width=size[1],
                num_inference_steps=spec.inference_steps,
                guidance_scale=self._guidance(spec),
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                output_type="latent",
            ).images
        return out

    def alike(self, caption: str) -> Hashable:
        """All are: they are cut or filled up to one length."""
        return None

    def lost(self, caption: str) -> tuple[int, int, str] | None:
        """By the first text encoder's limit."""
        return self.text.lost(caption)


def _steps(levels: Sequence[float]) -> Tensor:
    return torch.tensor(levels).long()
