"""What a pipeline that is trained by flow matching does with images: noise, velocity, drawing."""

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sysgraph_schemas import Diffusion
from sysgraph_schemas.models.diffusion_objective import DiffusionObjective

from ....objectives.diffusion import flow_weights, interpolated, sigmas_of
from ....support.device import moved
from ....support.errors import InputError
from ...checkpoints import shapes
from ...checkpoints.loading import UNREADABLE
from ..autoencoder import Autoencoder
from ..pipelines import Checkpoint
from ..process import Size
from ..prompts import Prompt, Taken, example
from .asking import Asking
from .autoencoder import SIDE, FlowAutoencoder
from .captions import shape_of
from .layout import Layout, layout_of
from .limits import lost

_EXAMPLE = example(SIDE)
_TIMES = (0.25, 0.75)
"""Of a question that finds out how a pipeline tells its denoiser the time."""


class FlowMatching:
    """For the methods see `process.Process`. Latents are [B, C, H, W] (videos' [B, C, 1, H, W]).

    Raises:
        InputError: the pipeline cannot be asked what its denoiser predicts.
    """

    autoencoder: Autoencoder
    is_flow: bool = True
    taken: Taken
    blank: Prompt

    def __init__(
        self, spec: Diffusion, found: Checkpoint, pipeline: Any, device: torch.device
    ) -> None:
        self._id, self._kind = spec.id, found.family.kind.__name__
        self._pipeline, self._device = pipeline, device
        self.steps = int(pipeline.scheduler.config.num_train_timesteps)
        self._asking = Asking(found, pipeline, device)
        self._layouts: dict[tuple[int, int], Layout] = {}
        self._shapes: dict[str, Hashable] = {}
        if pipeline.scheduler.config.get("stochastic_sampling"):
            raise self._unsupported("its scheduler samples with noise that no seed gives")
        try:
            self.taken = self._taken() if found.family.takes_pictures else Taken()
            pictures = (_EXAMPLE,) * self.taken.least
            self._asking.some = self._asking.some._replace(pictures=pictures)
            self.blank = Prompt("", pictures)
            self.autoencoder = FlowAutoencoder(pipeline.vae, self._layout)
            # A patch of two latents a side, as all have whose patches are known.
            self.taken = self.taken._replace(side=2 * self.autoencoder.factor)
            self._most_rows = self._found_most_rows()
        except (*UNREADABLE, NotImplementedError, IndexError) as error:
            raise self._unsupported(f"it cannot be asked for a velocity: {error}") from error

    def _unsupported(self, why: str) -> InputError:
        return InputError(f"model id {self._id!r}, a {self._kind}, is not supported: {why}")

    def settings(self) -> tuple[object, ...]:
        """Nothing that the pipeline's configurations do not say."""
        return ()

    def _layout(self, width: int, height: int) -> Layout:
        """Of images of so many pixels; 0: the pipeline's own size."""
        key = width, height
        if key not in self._layouts:
            size = (height or None, width or None)
            with shapes.numbers():
                self._layouts[key] = layout_of(
                    self._asking.start(size, 0), lambda packed: self._asking.decoded(packed, size)
                )
        return self._layouts[key]

    def _taken(self) -> Taken:
        """How many pictures it takes: those that something comes of for its denoiser."""
        without, one, two = (self._size_told(count) for count in range(3))
        if one is None or one == without:
            return Taken()
        return Taken(1 if without is None else 0, 1 if two in (None, one) else None)

    def _size_told(self, pictures: int) -> int | None:
        """The numbers that its denoiser is called with; None: it is not, with so many pictures."""
        prompt = self._asking.some._replace(pictures=(_EXAMPLE,) * pictures)
        time = torch.tensor(_TIMES[:1], device=self._device)
        try:
            told = self._asking.told(time, [prompt], (SIDE, SIDE))
        except (*UNREADABLE, NotImplementedError, IndexError):
            return None
        return sum(tensor.numel() for one in told for tensor in _tensors(one))

    def _found_most_rows(self) -> int | None:
        """1 where the denoiser takes one time for all rows, or captions do not go together.

        Of prompts with pictures, see `most_rows`.
        """
        times, some = torch.tensor(_TIMES, device=self._device), self._asking.some
        alone = self._asking.told(times[:1], [some], (SIDE, SIDE))
        count = self._asking.start((SIDE, SIDE), 0).numel()
        sizes = {sum(t.numel() for t in x) for x in map(_tensors, alone)}
        # Beside a picture that is edited, there are more numbers than the image's in any case.
        doubled = 2 * count in sizes and count not in sizes
        if _rows(alone) > 1 if some.pictures else doubled:
            raise ValueError(
                "its call runs each image with a caption and without, whatever is said"
            )
        if some.pictures:
            return 1
        try:
            told = self._asking.told(times, [some] * 2, (SIDE, SIDE))
        except (*UNREADABLE, IndexError):
            return 1
        rows = [x for x in told if isinstance(x, Tensor) and x.shape[:1] == (len(_TIMES),)]
        several = any(x.dim() == 1 and len(x.unique()) == len(_TIMES) for x in rows)
        return None if several else 1

    def most_rows(self, prompt: Prompt) -> int | None:
        """1 where a picture is edited: each has a shape of its own, and some take no batches."""
        return 1 if prompt.pictures else self._most_rows

    def require(self, name: str, spec: Diffusion) -> None:
        """Guidance by the picture is a thing of InstructPix2Pix's."""
        if spec.image_guidance_scale is not None:
            raise InputError(
                f"model {name!r}: `image_guidance_scale` is for InstructPix2Pix, and {spec.id!r} "
                f"is a {self._kind}: leave it out"
            )

    def size(self, name: str, spec: Diffusion) -> Size:
        """The spec's, or the pipeline's own where it says none."""
        factor = self.autoencoder.factor
        if spec.scheduler == "ddim":
            raise InputError(
                f"model {name!r}: {spec.id!r} is trained by flow matching, and is sampled by its "
                "pipeline's own scheduler: leave out `scheduler: ddim`"
            )
        height, width = spec.height or 0, spec.width or 0
        if not (height and width):
            own = self._layout(0, 0).shape
            height, width = height or own[-2] * factor, width or own[-1] * factor
        what = f"model {name!r}: {spec.id!r} draws no images of {width} x {height} pixels"
        try:
            found = self._layout(width, height).shape
        except UNREADABLE as error:
            raise InputError(f"{what} (width x height): {error}") from error
        drawn = found[-2] * factor, found[-1] * factor
        if drawn != (height, width):
            raise InputError(f"{what} (width x height); {drawn[1]} x {drawn[0]} it does")
        return height, width

    def levels(self, noise: Sequence[int], objective: DiffusionObjective) -> list[float]:
        """Sigmas, stratified over the draws."""
        return sigmas_of(noise, objective.drawing or "logit_normal")

    def weights(self, levels: Sequence[float], objective: DiffusionObjective) -> Tensor:
        """By the objective's `weight`, at each sigma."""
        return flow_weights(torch.tensor(levels), objective.weighting)

    def noised(
        self, latents: Tensor, noise: Tensor, levels: Sequence[float]
    ) -> tuple[Tensor, Tensor]:
        """On the straight line from image to noise, and its velocity eps - z_0."""
        return interpolated(latents, noise, torch.tensor(levels)), noise - latents

    def noise_of(self, seed: int, shape: Sequence[int], size: Size) -> Tensor:
        """As the pipeline starts from it."""
        height, width = size
        packed = self._asking.start(size, seed).float()
        return self._layout(width, height).unpack(packed)[0].cpu()

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
        """The velocity, as the pipeline makes it of what the transformer gives."""
        layout = self._layout(size[1], size[0])
        found = self._asking.velocity(
            module,
            layout.pack(moved(latents, self._device)),
            moved(torch.tensor(levels), self._device),
            prompts,
            size=size,
            **self._unguided(guidance),
        )
        return layout.unpack(found)

    # ---- guidance: told to the denoiser, or the difference of two runs of it

    def guidance_told(self, spec: Diffusion) -> float | None:
        """The spec's or the call's default, where the transformer embeds it."""
        embeds = self._pipeline.transformer.config.get("guidance_embeds", False)
        return self._guidance(spec, "guidance_scale") if embeds else None

    def _guidance(self, spec: Diffusion, name: str) -> float:
        """The spec's, or what the call takes by default; some have none."""
        given = spec.guidance_scale
        return float(self._asking.parameters[name].default or 1.0) if given is None else given

    def runs(self, spec: Diffusion) -> int:
        """Twice under classifier-free guidance."""
        free = self._asking.free
        is_told = self.guidance_told(spec) is not None
        guided = not is_told and free in self._asking.off and self._guidance(spec, free) > 1
        return 2 if guided else 1

    def _unguided(self, told: float | None) -> dict[str, float]:
        """What the call takes for a caption alone."""
        return self._asking.off if told is None else {**self._asking.off, "guidance_scale": told}

    def drawn(
        self,
        module: nn.Module,
        prompts: Sequence[Prompt],
        seeds: Sequence[int],
        *,
        spec: Diffusion,
        size: Size,
    ) -> Tensor:
        """By the pipeline's own call and scheduler."""
        free = self._asking.free
        guidance: dict[str, Any] = self._unguided(self.guidance_told(spec))
        if self.runs(spec) > 1:
            guidance = {free: self._guidance(spec, free)}
            if "negative_prompt" in self._asking.parameters:
                guidance["negative_prompt"] = [""] * len(prompts)
        packed = self._asking.drawn(
            module, prompts, seeds, size=size, steps=spec.inference_steps, **guidance
        )
        return self._layout(size[1], size[0]).unpack(packed.float())

    # ---- captions

    def alike(self, prompt: Prompt) -> Hashable:
        """By the shapes of their embeddings: what a caption is filled up to depends on no other."""
        if prompt.pictures:  # they run one at a time
            return len(prompt.pictures)
        caption = prompt.caption
        if caption not in self._shapes:
            self._shapes[caption] = shape_of(self._asking.embedded(caption, (SIDE, SIDE)))
        return self._shapes[caption]

    def lost(self, caption: str) -> tuple[int, int, str] | None:
        """By the encoder that reads most."""
        return lost(self._pipeline, self._asking.parameters, caption)


def _rows(told: Sequence[Any]) -> int:
    """Of what the denoiser is called with, the images and captions at once."""
    return max(len(x) for x in told if isinstance(x, Tensor) and x.dim() > 2)


def _tensors(given: Any) -> list[Tensor]:
    """An argument of the denoiser, or those in it."""
    several = given if isinstance(given, list) else [given]
    return [one for one in several if isinstance(one, Tensor)]
