"""The engine of `diffusion` models."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from sysgraph_schemas import Diffusion
from sysgraph_schemas.models.diffusion_objective import Reduction

from ...objectives.diffusion import error_weights, log_likelihoods, noise_seeds
from ...support.device import moved, on_device
from ...support.errors import InputError
from ...support.grouping import grouped, in_groups
from ...traces.pictures import Picture
from ..base import Draw, Request
from ..checkpoints.engine import CheckpointEngine, Part, Values
from ..checkpoints.weights import Weights
from .generation import generate
from .resident import Resident
from .scoring import NoisedImage, blank_error, errors, rows_of

# Latent pixels in one forward pass: 16 images of Stable Diffusion 1.5, 4 of XL.
_PIXELS_PER_PASS = 16 * 64 * 64

# Latent pixels in one sampling loop, twice as many under guidance: 32 images of Stable Diffusion
# 1.5, 8 of XL.
_PIXELS_PER_LOOP = 32 * 64 * 64


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
        self._require_recomputing()

    def problem(self, request: Request) -> str | None:
        """Why `request` cannot be scored (no image, or one of another size), or None."""
        if not isinstance(request.context, str):
            return f"diffusion model {request.model!r} takes a caption, not chat messages"
        if not isinstance(request.value, Picture):
            return f"diffusion model {request.model!r} draws images, and this is a text"
        height, width = self._sizes[request.model]
        if request.value.size != (width, height):
            found = " x ".join(map(str, request.value.size))
            return (
                f"{request.value.name} is {found} pixels, but model {request.model!r} draws "
                f"{width} x {height}: resize it, or set the model's `width` and `height`"
            )
        return None

    def warning(self, request: Request) -> str | None:
        """What is odd about `request` that can still be scored (a caption cut short), or None."""
        lost = self._weights[request.model].resident.text.lost(str(request.context))
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

        def key(request: Request) -> Hashable:
            objective, size = self._specs[request.model].objective, self._sizes[request.model]
            return objective, size, len(self._noise(request))

        for indices in grouped(requests, key):
            for part in self._bounds(weights, [requests[i] for i in indices], gradients):
                yield replace(part, rows=[indices[i] for i in part.rows])

    def _bounds(
        self, weights: Weights[Resident], requests: Sequence[Request], gradients: bool
    ) -> Iterator[Part]:
        """Parts of requests that differ in caption, image and noise alone: some draws each."""
        resident, model = weights.resident, requests[0].model
        objective, steps = self._specs[model].objective, len(resident.schedule)
        by_step = error_weights(
            resident.schedule.alpha_bars, objective.weighting, resident.schedule.prediction
        )
        where: dict[tuple[str, Picture, tuple[int, ...]], list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            assert isinstance(request.value, Picture)
            where[str(request.context), request.value, self._noise(request)].append(index)
        draws = [
            (row, several)
            for (caption, picture, noise), several in where.items()
            for row in rows_of(caption, picture, noise, steps)
        ]
        multiplier = objective.multiplier(steps) / len(self._noise(requests[0]))
        size = self._rows_per_pass(weights, model, gradients)
        for start in range(0, len(draws), size):
            batch = draws[start : start + size]
            yield Part(
                [index for _, several in batch for index in several],
                partial(
                    _bounds_of,
                    resident=resident,
                    rows=[row for row, _ in batch],
                    reduction=objective.reducing,
                    weights=by_step[[row.timestep for row, _ in batch]],
                    multiplier=multiplier,
                    counts=[len(several) for _, several in batch],
                ),
                len(batch) / size,
            )

    def _content(self, request: Request) -> Hashable:
        """The caption, the image, the noise, and how errors are counted."""
        assert isinstance(request.value, Picture)
        objective = self._specs[request.model].objective
        noise = self._noise(request)
        return str(request.context), request.value.digest, noise, objective.model_dump_json()

    def _rows_per_pass(self, weights: Weights[Resident], model: str, gradients: bool) -> int:
        """Draws whose errors one forward pass finds."""
        height, width = self._sizes[model]
        factor = weights.resident.autoencoder.factor
        most: int = max(1, _PIXELS_PER_PASS * factor**2 // (width * height))
        if not gradients:
            return most
        return max(1, min(most, int(self._fitting(model))))

    def _probe(self, model: str) -> Values:
        height, width = self._sizes[model]
        resident = self._weights[model].resident
        return partial(blank_error, resident=resident, height=height, width=width)

    def _noise(self, request: Request) -> tuple[int, ...]:
        """The seeds of the request's draws."""
        return request.noise or noise_seeds("fixed", "", self._specs[request.model].objective.draws)

    def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Picture]:
        """One image per draw, with its latents; the same to rounding whatever the batch size."""
        for draw in draws:
            problem = self.refusal(draw)
            if problem is not None:
                raise InputError(problem)
        return in_groups(
            draws, lambda draw: draw.model, lambda several: self._sample(several, batch_size)
        )

    def refusal(self, draw: Draw) -> str | None:
        """Why nothing can be drawn (the context is no caption), or None."""
        if isinstance(draw.context, str):
            return None
        return f"diffusion model {draw.model!r} takes a caption, not chat messages"

    def _sample(self, draws: Sequence[Draw], batch_size: int | None) -> list[Picture]:
        """Images of draws of one model."""
        model = draws[0].model
        weights, size = self._weights[model], min(self.room(model), batch_size or len(draws))
        out: list[Picture] = []
        for start in range(0, len(draws), size):
            batch = draws[start : start + size]
            out += generate(
                weights.module(reference=False),
                weights.resident,
                [str(draw.context) for draw in batch],
                [draw.seed for draw in batch],
                spec=self._specs[model],
                size=self._sizes[model],
            )
        return out

    def room(self, model: str) -> int:
        """Images of one sampling loop."""
        height, width = self._sizes[model]
        pixels: int = height * width // self._weights[model].resident.autoencoder.factor ** 2
        guided = 2 if self._specs[model].guidance_scale > 1 else 1
        return max(1, _PIXELS_PER_LOOP // (pixels * guided))


def _image_size(resident: Resident, name: str, spec: Diffusion) -> tuple[int, int]:
    """Height and width of the model's images.

    Raises:
        InputError: the pipeline cannot draw that size, says none of its own where the graph says
            none, or cannot take that many steps.
    """
    own = resident.image_size()
    if own is None and not (spec.height and spec.width):
        raise InputError(
            f"model {name!r}: {spec.id!r} does not say which size its images have (its UNet has "
            "no `sample_size`): set the model's `width` and `height`"
        )
    size = (spec.height or (own or (0, 0))[0], spec.width or (own or (0, 0))[1])
    # Stable Diffusion's pipelines ask for multiples of 8.
    unit = max(8, resident.autoencoder.factor)
    if any(side % unit for side in size):
        raise InputError(
            f"model {name!r}: images of {size[1]} x {size[0]} pixels (width x height); both must "
            f"be multiples of {unit}"
        )
    if spec.inference_steps > len(resident.schedule):
        raise InputError(
            f"model {name!r}: {spec.inference_steps} `inference_steps`, but the pipeline was "
            f"trained with {len(resident.schedule)}"
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
