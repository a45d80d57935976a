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
from .captions import CaptionEncoder

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
        self.parameters = inspect.signature(type(pipeline).__call__).parameters
        self._scheduler = _listening(pipeline.scheduler.config)
        self._listening = self._with(pipeline.transformer, self._scheduler)

    def _with(self, module: nn.Module, scheduler: Any) -> Any:
        with quiet():
            pipeline = bare(self._found, self._pipeline, transformer=module, scheduler=scheduler)
        pipeline.encode_prompt = self.encoder
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def embedded(self, caption: str, size: Wanted, **guidance: Any) -> Any:
        """What the pipeline's `encode_prompt` gives for a caption alone, when its call asks."""
        self._scheduler.sigmas_asked = None
        generator = [torch.Generator().manual_seed(0)]
        self._call(self._listening, [caption], size, steps=1, generator=generator, **guidance)
        return self.encoder.last

    def velocity(
        self,
        module: nn.Module,
        packed: Tensor,
        sigmas: Tensor,
        captions: Sequence[str],
        *,
        size: Wanted,
        **guidance: Any,
    ) -> Tensor:
        """What `module` predicts of latents [B, ...] at each row's time, as schedulers have it."""
        self._scheduler.sigmas_asked = sigmas
        if self._listening.transformer is not module:
            self._listening.transformer = module
        self._call(self._listening, captions, size, latents=packed, steps=1, **guidance)
        found, self._scheduler.heard = self._scheduler.heard, None
        assert found is not None
        return found

    def start(self, size: Wanted, seed: int) -> Tensor:
        """The noise [1, ...] that a seed's image is drawn from."""
        self._scheduler.sigmas_asked = None
        generator = [torch.Generator().manual_seed(seed)]
        found: Tensor = self._call(self._listening, [""], size, steps=1, generator=generator).images
        return found

    def decoded(self, packed: Tensor, size: Wanted) -> Tensor:
        """What the VAE is given for latents [1, ...], in float32."""
        self._scheduler.sigmas_asked = None
        with _stopped(self._pipeline.vae, "decode"):
            try:
                self._call(self._listening, [""], size, latents=packed, steps=1, output_type="pt")
            except Stopped as stopped:
                found: Tensor = stopped.args[0]
                return found.float()
        raise ValueError("its latents do not go through its VAE")

    def told(
        self,
        sigmas: Tensor,
        captions: Sequence[str],
        size: Wanted,
        **guidance: Any,
    ) -> list[Any]:
        """All that the denoiser is called with at each row's time, nothing of it run."""
        self._scheduler.sigmas_asked = sigmas
        generators = [torch.Generator().manual_seed(0) for _ in captions]
        with _stopped(self._listening.transformer, "forward"):
            try:
                self._call(
                    self._listening, captions, size, steps=1, generator=generators, **guidance
                )
            except Stopped as stopped:
                return [*stopped.args, *stopped.settings.values()]
        raise ValueError("its denoiser is not called")

    @torch.no_grad()
    def drawn(
        self,
        module: nn.Module,
        captions: Sequence[str],
        seeds: Sequence[int],
        *,
        size: tuple[int, int],
        steps: int,
        **guidance: Any,
    ) -> Tensor:
        """Latents [B, ...] that the pipeline draws under its own scheduler."""
        scheduler = self._pipeline.scheduler
        pipeline = self._with(module, type(scheduler).from_config(scheduler.config))
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        found: Tensor = self._call(
            pipeline, captions, size, steps=steps, generator=generators, **guidance
        ).images
        return found

    def _call(
        self,
        pipeline: Any,
        captions: Sequence[str],
        size: Wanted,
        *,
        steps: int,
        output_type: str = "latent",
        **settings: Any,
    ) -> Any:
        """The pipeline's call, which is under `no_grad` where it is not unwrapped."""
        call = inspect.unwrap(type(pipeline).__call__)
        height, width = size
        with quiet():
            return call(
                pipeline,
                prompt=list(captions),
                height=height,
                width=width,
                num_inference_steps=steps,
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
