"""Pipelines whose UNet predicts noise at discrete timesteps: Stable Diffusion 1.5 and XL.

Of those that edit, as InstructPix2Pix (Brooks et al. 2022, arXiv 2211.09800), the UNet sees the
latents of the picture, unscaled, in further channels beside those that have noise on them.
"""

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
from ...traces.pictures import Picture
from .autoencoder import Autoencoder
from .cache import TensorCache
from .captions import TextEncoder
from .pipelines import Checkpoint, bare
from .process import Size
from .prompts import Prompt, Taken, example
from .schedule import noise_schedule, sampler

_GUIDANCE = 7.5
_IMAGE_GUIDANCE = 1.5
_SOURCE_BYTES = 2**30
_SIDE = 64


class NoisePrediction:
    """For the methods see `process.Process`. Latents are [B, C, H, W].

    Raises:
        InputError: the pipeline's parts do not fit each other, or its schedule is not supported.
    """

    autoencoder: Autoencoder
    is_flow: bool = False
    taken: Taken
    blank: Prompt

    def __init__(
        self, spec: Diffusion, found: Checkpoint, pipeline: Any, device: torch.device
    ) -> None:
        self._found, self._pipeline, self._device = found, pipeline, device
        self.schedule = noise_schedule(spec, pipeline.scheduler.config)
        self.steps = len(self.schedule)
        self.autoencoder = Autoencoder(pipeline.vae)
        self.text = TextEncoder(pipeline, device)
        self._edits = found.family.takes_pictures
        self.taken = Taken(1, 1) if self._edits else Taken()
        self.blank = Prompt("", (example(_SIDE),) if self._edits else ())
        self._sources: TensorCache[tuple[Picture, Size]] = TensorCache(_SOURCE_BYTES)
        channels, own = pipeline.unet.config.in_channels, self.autoencoder.channels
        # The pipeline tells latents from pixels by their number of channels.
        if channels != own * (2 if self._edits else 1) or (self._edits and own != 4):
            and_seen = " and as many of the picture to be edited" if self._edits else ""
            raise InputError(
                f"model id {spec.id!r} is not supported: its UNet takes {channels} channels, its "
                f"images have {own}{and_seen}"
            )

    def require(self, name: str, spec: Diffusion) -> None:
        """Guidance by the picture is of those that edit."""
        if spec.image_guidance_scale is not None and not self._edits:
            raise InputError(
                f"model {name!r}: `image_guidance_scale` is for pipelines that edit, and "
                f"{spec.id!r} does not: leave it out"
            )

    def most_rows(self, prompt: Prompt) -> int | None:
        """Any number."""
        return None

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
        prompts: Sequence[Prompt],
        *,
        size: Size,
        guidance: float | None,
    ) -> Tensor:
        """The UNet's output."""
        condition = self.text.encode([prompt.caption for prompt in prompts])
        if self._edits:
            latents = torch.cat([latents, self._seen(prompts, size)], dim=1)
        found: Tensor = module(
            moved(latents, self._device).to(condition.embeds),
            moved(_steps(levels), self._device),
            encoder_hidden_states=condition.embeds,
            added_cond_kwargs=condition.added(*size),
        ).sample
        return found

    def _seen(self, prompts: Sequence[Prompt], size: Size) -> Tensor:
        """What the UNet sees of the pictures to be edited: [B, C, H, W], CPU.

        Each is brought to the images' size by the pipeline's own means, and encoded once.
        """

        def encode(absent: list[tuple[Picture, Size]]) -> list[tuple[Tensor, ...]]:
            pixels = (self._pipeline.image_processor.preprocess(p.open(), *s) for p, s in absent)
            return [(self.autoencoder.raw(x)[0],) for x in pixels]

        keys = [(picture, size) for prompt in prompts for picture in prompt.pictures]
        return torch.stack([row[0] for row in self._sources.get(keys, encode)])

    def guidance_told(self, spec: Diffusion) -> float | None:
        """None: no UNet takes any."""
        return None

    def runs(self, spec: Diffusion) -> int:
        """Under classifier-free guidance with and without the caption, and without the picture."""
        if not self._edits:
            return 2 if self._guidance(spec) > 1 else 1
        return 3 if self._guidance(spec) > 1 and self._image_guidance(spec) >= 1 else 1

    def _guidance(self, spec: Diffusion) -> float:
        return _GUIDANCE if spec.guidance_scale is None else spec.guidance_scale

    def _image_guidance(self, spec: Diffusion) -> float:
        given = spec.image_guidance_scale
        return _IMAGE_GUIDANCE if given is None else given

    def drawn(
        self,
        module: nn.Module,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        *,
        spec: Diffusion,
        size: Size,
    ) -> Tensor:
        """Latents [B, C, H, W]."""
        guided = self.runs(spec) > 1
        wanted = self.text.encode([prompt.caption for prompt in prompts])
        unguided = self.text.unguided(len(prompts))
        conditions: dict[str, Any] = {"prompt_embeds": wanted.embeds}
        if self._edits:  # its images are as large as the pictures that they are made of
            conditions["image"] = self._seen(prompts, size)
            conditions["image_guidance_scale"] = self._image_guidance(spec)
        else:
            conditions |= {"height": size[0], "width": size[1]}
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
                num_inference_steps=spec.inference_steps,
                guidance_scale=self._guidance(spec),
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                output_type="latent",
            ).images
        return out

    def alike(self, prompt: Prompt) -> Hashable:
        """All are: they are cut or filled up to one length."""
        return None

    def lost(self, caption: str) -> tuple[int, int, str] | None:
        """By the first text encoder's limit."""
        return self.text.lost(caption)


def _steps(levels: Sequence[float]) -> Tensor:
    return torch.tensor(levels).long()
