"""The engine of `diffusion` models."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn

from sysgraph_schemas import Diffusion
from sysgraph_schemas.models.diffusion_objective import CONVENTIONS, Reduction

from ...objectives.diffusion import log_likelihoods, noise_seeds
from ...support.device import moved, on_device
from ...support.errors import InputError
from ...support.grouping import grouped, in_groups
from ...support.seeding import derive
from ...traces.pictures import Picture
from ..asked import Draw, Request
from ..checkpoints.engine import CheckpointEngine, Part, Values
from ..checkpoints.weights import Weights
from .generation import generate
from .process import Size
from .prompts import Prompt, prompt_of
from .resident import Resident
from .scoring import NoisedImage, blank_error, errors

# Latent pixels in one forward pass: 16 images of Stable Diffusion 1.5, 4 of XL.
_PIXELS_PER_PASS = 16 * 64 * 64

# Latent pixels in one sampling loop, twice as many under guidance: 32 images of Stable Diffusion
# 1.5, 8 of XL.
_PIXELS_PER_LOOP = 32 * 64 * 64


# Of an image's loop, whose later steps take as much.
_STEPS_REHEARSED = 2


class DiffusionEngine(CheckpointEngine[Diffusion, Resident]):
    """All `diffusion` models of a system. For the methods see `engines.base`.

    An image's likelihood is a bound, up to constants that policy and reference share: see
    `objectives.diffusion`.
    """

    def __init__(self, models: Mapping[str, Diffusion], *, device: torch.device, seed: int) -> None:
        super().__init__(models, Resident, device=device, seed=seed)
        self._sizes = {
            name: _image_size(weights.resident, name, self._specs[name])
            for name, weights in self._weights.items()
        }
        for name, spec in self._specs.items():
            said = self._mismatch(name) if spec.is_trained else None
            if said is not None:
                raise InputError(said)
            self._weights[name].resident.process.require(name, spec)
        self._require_recomputing()

    def unfit(self, model: str, pictures: int) -> str | None:
        """Why a prompt with so many pictures is none for `model`, or None; see `Editing`."""
        resident = self._weights[model].resident
        said = resident.process.taken.problem(pictures, resident.kind)
        return said and f"model {model!r}: {said}"

    def _unprompted(self, asked: Request | Draw) -> str | None:
        """Why a context is no prompt for its model, or None."""
        if not isinstance(asked.context, str):
            return f"diffusion model {asked.model!r} takes a caption, not chat messages"
        pictures, resident = _prompt(asked).pictures, self._weights[asked.model].resident
        small = resident.process.taken.too_small(pictures, resident.kind)
        return self.unfit(asked.model, len(pictures)) or small

    def problem(self, request: Request) -> str | None:
        """Why `request` cannot be scored (no image, or one of another size), or None."""
        unprompted = self._unprompted(request)
        if unprompted is not None:
            return unprompted
        if not isinstance(request.value, Picture):
            return f"diffusion model {request.model!r} draws images, and this is a text"
        mismatch = self._mismatch(request.model)
        if mismatch is not None:
            return mismatch
        height, width = self._sizes[request.model]
        if request.value.size != (width, height):
            found = " x ".join(map(str, request.value.size))
            return (
                f"{request.value.name} is {found} pixels, but model {request.model!r} draws "
                f"{width} x {height}: resize it, or set the model's `width` and `height`"
            )
        return None

    def _mismatch(self, model: str) -> str | None:
        """Why the objective cannot be that of the model's pipeline, or None."""
        spec, is_flow = self._specs[model], self._weights[model].resident.process.is_flow
        if spec.objective.is_flow == is_flow:
            return None
        of = [name for name, one in CONVENTIONS.items() if one.is_flow == is_flow]
        trained = "trained by flow matching" if is_flow else "trained to predict noise"
        return (
            f"model {model!r}: {spec.id!r} is {trained}, and `objective.preset` "
            f"{spec.objective.preset!r} is not for such pipelines: set `objective: {{preset: "
            f"{of[0]}}}`" + (f" (or {', '.join(of[1:])})" if of[1:] else "")
        )

    def warning(self, request: Request) -> str | None:
        """What is odd about `request` that can still be scored (a caption cut short), or None."""
        caption = _prompt(request).caption
        lost = self._weights[request.model].resident.process.lost(caption)
        if lost is None:
            return None
        tokens, limit, text = lost
        return (
            f"the caption has {tokens} tokens and the text encoder of model {request.model!r} "
            f"reads {limit}: it does not see {text!r:.200}"
        )

    def length(self, request: Request) -> int:
        """1: an image is one value."""
        return 1

    def _parts(
        self, weights: Weights[Resident], requests: Sequence[Request], gradients: bool
    ) -> Iterator[Part]:
        """The bound, up to constants; by what forward passes can share.

        A request without `noise` takes the model's fixed draws, the same for every request.
        """
        process = weights.resident.process

        def key(request: Request) -> Hashable:
            spec, size = self._specs[request.model], self._sizes[request.model]
            alike = process.alike(_prompt(request))
            told = process.guidance_told(spec)
            return spec.objective, size, told, len(self._noise(request)), alike

        for indices in grouped(requests, key):
            for part in self._bounds(weights, [requests[i] for i in indices], gradients):
                yield replace(part, rows=[indices[i] for i in part.rows])

    def _bounds(
        self, weights: Weights[Resident], requests: Sequence[Request], gradients: bool
    ) -> Iterator[Part]:
        """Parts of requests that differ in prompt, image and noise alone: some draws each."""
        process, model = weights.resident.process, requests[0].model
        objective = self._specs[model].objective
        where: dict[tuple[Prompt, Picture, tuple[int, ...]], list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            assert isinstance(request.value, Picture)
            where[_prompt(request), request.value, self._noise(request)].append(index)
        draws = [
            (row, several) for one, several in where.items() for row in self._rows(model, *one)
        ]
        multiplier = objective.multiplier(process.steps) / len(self._noise(requests[0]))
        size = self._rows_per_pass(weights, requests[0], gradients)
        for start in range(0, len(draws), size):
            batch = draws[start : start + size]
            yield Part(
                [index for _, several in batch for index in several],
                partial(
                    _bounds_of,
                    resident=weights.resident,
                    rows=[row for row, _ in batch],
                    reduction=objective.reducing,
                    weights=process.weights([row.level for row, _ in batch], objective),
                    multiplier=multiplier,
                    counts=[len(several) for _, several in batch],
                ),
                len(batch) / size,
            )

    def _rows(
        self, model: str, prompt: Prompt, picture: Picture, noise: tuple[int, ...]
    ) -> list[NoisedImage]:
        """The draws of one image: `noise` has a seed each."""
        process, spec = self._weights[model].resident.process, self._specs[model]
        told, drawn = process.guidance_told(spec), spec.objective.noise == "drawn"
        levels = process.levels(noise, spec.objective)
        return [
            NoisedImage(prompt, picture, level, seed, told, drawn)
            for level, seed in zip(levels, noise, strict=True)
        ]

    def _content(self, request: Request) -> Hashable:
        """The prompt, the image, the noise, and how errors are counted."""
        assert isinstance(request.value, Picture)
        spec = self._specs[request.model]
        told = self._weights[request.model].resident.process.guidance_told(spec)
        counted = spec.objective.model_dump_json()
        picture, prompt = request.value, _prompt(request)
        seed = picture.seed if spec.objective.noise == "drawn" else None
        asked = prompt.caption, *(one.digest for one in prompt.pictures)
        return asked, picture.digest, self._noise(request), counted, told, seed

    def _rows_per_pass(self, weights: Weights[Resident], one: Request, gradients: bool) -> int:
        """Draws whose errors one forward pass finds, of requests like `one`."""
        model = one.model
        height, width = self._sizes[model]
        factor = weights.resident.autoencoder.factor
        most: int = max(1, _PIXELS_PER_PASS * factor**2 // (width * height))
        most = min(most, weights.resident.process.most_rows(_prompt(one)) or most)
        if not gradients:
            return most
        return max(1, min(most, int(self._fitting(model))))

    def _probe(self, model: str) -> Values:
        height, width = self._sizes[model]
        resident = self._weights[model].resident
        told = resident.process.guidance_told(self._specs[model])
        return partial(blank_error, resident=resident, height=height, width=width, guidance=told)

    def _noise(self, request: Request) -> tuple[int, ...]:
        """The seeds of the request's draws."""
        objective = self._specs[request.model].objective
        seeds = request.noise or noise_seeds("fixed", "", objective.draws)
        if objective.timesteps != "unpaired":
            return seeds
        assert isinstance(request.value, Picture)
        # Which side an image is on is not known here, but which image it is.
        return tuple(derive("image", request.value.digest, seed) for seed in seeds)

    def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Picture]:
        """One image per draw, with its latents; the same to rounding whatever the batch size."""
        for draw in draws:
            problem = self.refusal(draw)
            if problem is not None:
                raise InputError(problem)
        return in_groups(
            draws, lambda draw: draw.model, lambda several: self._sample(several, batch_size)
        )

    def made_up(self, draw: Draw) -> Picture:
        """An image of one colour, as the VAE decoded it from latents of nothing."""
        height, width = self._sizes[draw.model]
        autoencoder = self._weights[draw.model].resident.autoencoder
        colour = (draw.seed % 256, draw.seed // 256 % 256, draw.seed // 65536 % 256)
        latents = torch.zeros(autoencoder.shape(width, height))
        image = Image.new("RGB", (width, height), colour)
        return Picture.drawn(image, latents, autoencoder.name, seed=draw.seed)

    @torch.no_grad()
    def rehearse(self, draws: Sequence[Draw], *, copies: int = 1) -> int:
        """Runs two steps of a loop, and the VAE, on shapes; see `Rehearsed`."""
        model = draws[0].model
        weights, process = self._weights[model], self._weights[model].resident.process
        prompts = [_prompt(draw) for draw in draws[: self.room(model)]]
        shape, most = process.alike(prompts[0]), process.most_rows(prompts[0])
        some = [prompt for prompt in prompts if process.alike(prompt) == shape][:most]
        latents = process.drawn(
            weights.module(reference=False),
            some,
            [draw.seed for draw in draws[: len(some)]],
            spec=self._specs[model].model_copy(update={"inference_steps": _STEPS_REHEARSED}),
            size=self._sizes[model],
        )
        for pixels in process.autoencoder.decoding(latents):
            del pixels
        return len(some)

    def refusal(self, draw: Draw) -> str | None:
        """Why nothing can be drawn (the context is no prompt of the model's), or None."""
        return self._unprompted(draw)

    def _sample(self, draws: Sequence[Draw], batch_size: int | None) -> list[Picture]:
        """Images of draws of one model."""
        model = draws[0].model
        process = self._weights[model].resident.process
        most = min(self.room(model), batch_size or len(draws))

        def cut(several: Sequence[Draw]) -> list[Picture]:
            size = min(most, process.most_rows(_prompt(several[0])) or most)
            batches = (several[i : i + size] for i in range(0, len(several), size))
            return [picture for batch in batches for picture in self._drawn(batch)]

        return in_groups(draws, lambda draw: process.alike(_prompt(draw)), cut)

    def _drawn(self, draws: Sequence[Draw]) -> list[Picture]:
        """Images of draws of one model, in one loop."""
        model = draws[0].model
        weights = self._weights[model]
        return generate(
            weights.module(reference=False),
            weights.resident,
            [_prompt(draw) for draw in draws],
            [draw.seed for draw in draws],
            spec=self._specs[model],
            size=self._sizes[model],
        )

    def room(self, model: str) -> int:
        """Images of one sampling loop."""
        height, width = self._sizes[model]
        process = self._weights[model].resident.process
        pixels: int = height * width // process.autoencoder.factor**2
        most = max(1, _PIXELS_PER_LOOP // (pixels * process.runs(self._specs[model])))
        return min(most, process.most_rows(process.blank) or most)


def _prompt(asked: Request | Draw) -> Prompt:
    assert isinstance(asked.context, str)
    return prompt_of(asked.context)


def _image_size(resident: Resident, name: str, spec: Diffusion) -> Size:
    """Height and width of the model's images.

    Raises:
        InputError: the pipeline cannot draw that size, says none of its own where the graph says
            none, or cannot take that many steps.
    """
    size = resident.process.size(name, spec)
    if spec.inference_steps > resident.process.steps:
        raise InputError(
            f"model {name!r}: {spec.inference_steps} `inference_steps`, but the pipeline was "
            f"trained with {resident.process.steps}"
        )
    return size


def _bounds_of(
    module: nn.Module,
    *,
    resident: Resident,
    rows: Sequence[NoisedImage],
    reduction: Reduction,
    weights: Tensor,
    multiplier: float,
    counts: Sequence[int],
) -> Tensor:
    """What each draw adds to its image's bound, as often as it counts: [sum of counts]."""
    found = errors(module, resident, rows, reduction)
    values = log_likelihoods(found, moved(weights, found.device), multiplier, draws=1)
    return values.repeat_interleave(on_device(counts, found.device), output_size=sum(counts))
