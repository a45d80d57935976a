"""A pipeline's own call, used to ask what its denoiser predicts.

Each class of pipelines hands latents, time and captions to its denoiser in its own way, and reads
its own way what comes back; what all agree on is what they tell their scheduler. So the call is
made under a scheduler that has one time step, a time of its own for each row, and keeps what it is
told: that is the velocity, with whatever the pipeline does on both sides of its denoiser.
"""

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor, nn

from ....support.quiet_diffusers import quiet
from ..pipelines import Checkpoint, bare
from ..prompts import Prompt
from .captions import CaptionEncoder
from .sources import SourceEncoder

_AREA = "max_area"

Wanted = tuple[int | None, int | None]
"""Height and width in pixels; None: the pipeline's own."""


class Stopped(Exception):
    """What a part of the pipeline was called with."""

    def __init__(self, args: tuple[Any, ...], settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.args, self.settings = args, settings


class _Listening(FlowMatchEulerDiscreteScheduler):
    """A scheduler of one step that changes nothing, or of none."""

    steps: int
    """Timesteps from 0 to 1, as the pipeline counts them."""
    sigmas_asked: Tensor | None = None
    """[B] the time of each row; None: no step is taken."""
    heard: Tensor | None = None
    """What the pipeline made of its denoiser's prediction."""

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Any = None,
        mu: Any = None,
        timesteps: Any = None,
    ) -> None:
        """The times asked for, whatever the pipeline wants."""
        asked = self.sigmas_asked
        times = torch.empty(0) if asked is None else asked[None] * self.steps
        self.timesteps, self.num_inference_steps = times.to(device), len(times)

    def scale_model_input(self, sample: Tensor, timestep: Any) -> Tensor:
        """As it is. Some pipelines ask all schedulers but the class that this one extends."""
        return sample

    def step(
        self, model_output: Tensor, timestep: Any, sample: Tensor, **_: Any
    ) -> tuple[Tensor, ...]:
        """Keeps the velocity."""
        self.heard = model_output
        return (sample,)


def _listening(config: Any) -> _Listening:
    made: Any = _Listening
    scheduler: _Listening = made.from_config(config)
    scheduler.steps = config.num_train_timesteps
    return scheduler


class Asking:
    """The call of one pipeline.

    Args:
        found: where it is from.
        pipeline: as it was loaded.
        device: where it runs.
    """

    def __init__(self, found: Checkpoint, pipeline: Any, device: torch.device) -> None:
        self._found, self._pipeline, self._device = found, pipeline, device
        self.encoder = CaptionEncoder(pipeline.encode_prompt, device)
        self._sources = SourceEncoder(pipeline.vae)
        self.parameters = inspect.signature(type(pipeline).__call__).parameters
        names = {"true_cfg_scale", "guidance_scale"} & set(self.parameters)
        self.free = "true_cfg_scale" if "true_cfg_scale" in names else "guidance_scale"
        """What the call names classifier-free guidance."""
        self.off = {self.free: 0.0} if names else {}
        """What the call takes for none: 0 is none for all, and 1 is some for Z-Image."""
        self._scheduler = _listening(pipeline.scheduler.config)
        self._listening = self._with(pipeline.transformer, self._scheduler)
        self._prepare = self._listening.prepare_latents
        self._listening.prepare_latents = self._prepared
        # A caption where none matters: an empty one has no tokens at all, for some pipelines.
        self.some = Prompt("a")
        self._given: Tensor | None = None
        self._started: Tensor | None = None

    def _with(self, module: nn.Module, scheduler: Any) -> Any:
        with quiet():
            pipeline = bare(self._found, self._pipeline, transformer=module, scheduler=scheduler)
        pipeline.encode_prompt = self.encoder
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _prepared(self, *args: Any, **settings: Any) -> Any:
        """Stands in for the pipeline's method: its noise, or the latents that are asked about.

        What the call itself takes as `latents` is laid out in one more way, for some pipelines.
        """
        found = self._prepare(*args, **settings)
        latents, *rest = found if isinstance(found, tuple) else (found,)
        self._started = latents
        if self._given is not None:
            # Without a step nothing runs on them, and what the VAE is given is wanted exactly.
            exact = self._scheduler.sigmas_asked is None
            latents = self._given.to(latents.device, None if exact else latents.dtype)
        return (latents, *rest) if isinstance(found, tuple) else latents

    def velocity(
        self,
        module: nn.Module,
        packed: Tensor,
        sigmas: Tensor,
        prompts: Sequence[Prompt],
        *,
        size: Wanted,
        **guidance: Any,
    ) -> Tensor:
        """What `module` predicts of latents [B, ...] at each row's time, as schedulers have it."""
        if self._listening.transformer is not module:
            self._listening.transformer = module
        self._ask(prompts, size, sigmas=sigmas, latents=packed, **guidance)
        found, self._scheduler.heard = self._scheduler.heard, None
        assert found is not None
        return found

    def start(self, size: Wanted, seed: int) -> Tensor:
        """The noise [1, ...] that a seed's image is drawn from."""
        self._ask([self.some], size, seed=seed)
        assert self._started is not None
        return self._started

    def embedded(self, caption: str, size: Wanted) -> Any:
        """What the pipeline's `encode_prompt` gives for a caption alone, when its call asks."""
        self._ask([Prompt(caption)], size)
        return self.encoder.last

    def decoded(self, packed: Tensor, size: Wanted) -> Tensor:
        """What the VAE is given for latents [1, ...], in float32."""
        with _stopped(self._pipeline.vae, "decode"):
            try:
                self._ask([self.some], size, latents=packed, output_type="pt")
            except Stopped as stopped:
                found: Tensor = stopped.args[0]
                return found.float()
        raise ValueError("its latents do not go through its VAE")

    def told(self, sigmas: Tensor, prompts: Sequence[Prompt], size: Wanted) -> list[Any]:
        """All that the denoiser is called with at each row's time, nothing of it run."""
        with _stopped(self._listening.transformer, "forward"):
            try:
                self._ask(prompts, size, sigmas=sigmas)
            except Stopped as stopped:
                return [*stopped.args, *stopped.settings.values()]
        raise ValueError("its denoiser is not called")

    def _ask(
        self,
        prompts: Sequence[Prompt],
        size: Wanted,
        *,
        sigmas: Tensor | None = None,
        latents: Tensor | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        """One call under the listening scheduler: a step at `sigmas`, or none."""
        self._scheduler.sigmas_asked, self._given = sigmas, latents
        seeds = [seed] * len(prompts)
        self._call(self._listening, prompts, seeds, size, steps=1, **{**self.off, **settings})

    @torch.no_grad()
    def drawn(
        self,
        module: nn.Module,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        *,
        size: tuple[int, int],
        steps: int,
        **guidance: Any,
    ) -> Tensor:
        """Latents [B, ...] that the pipeline draws under its own scheduler."""
        own = self._pipeline.scheduler
        scheduler = type(own).from_config(own.config)
        drawn: list[Tensor] = []
        step = scheduler.step

        def kept(*args: Any, **given: Any) -> Any:
            found = step(*args, **given)
            drawn[:] = [found[0]]  # as the denoiser has it: what the call gives, some have undone
            return found

        scheduler.step = kept
        self._call(self._with(module, scheduler), prompts, seeds, size, steps=steps, **guidance)
        return drawn[0]

    def _call(
        self,
        pipeline: Any,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        size: Wanted,
        *,
        steps: int,
        output_type: str = "latent",
        **settings: Any,
    ) -> None:
        """The pipeline's call, which is under `no_grad` where it is not unwrapped.

        Of prompts with pictures, one.
        """
        call = inspect.unwrap(type(pipeline).__call__)
        height, width = size
        images = [picture.open() for prompt in prompts for picture in prompt.pictures]
        if images:
            settings["image"] = images[0] if len(images) == 1 else images
        if height and width and _AREA in self.parameters:  # which says more than both do
            settings[_AREA] = height * width
        with quiet(), self._sources.kept():
            call(
                pipeline,
                prompt=[prompt.caption for prompt in prompts],
                height=height,
                width=width,
                num_inference_steps=steps,
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                output_type=output_type,
                **settings,
            )


@contextlib.contextmanager
def _stopped(module: Any, method: str) -> Iterator[None]:
    """Calls of a module's method end the pipeline's call, and tell their arguments."""

    def stop(*args: Any, **settings: Any) -> None:
        raise Stopped(args, settings)

    setattr(module, method, stop)
    try:
        yield
    finally:
        delattr(module, method)
