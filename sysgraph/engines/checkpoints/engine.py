"""What the engines of checkpoints do alike: everything but how their models score and sample."""

import contextlib
import math
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from sysgraph_schemas import Checkpoint

from ...support.errors import InputError
from ..asked import Request
from ..base import Base, Whole
from ..passes import Pass, total
from ..sharding import Sharding
from ..work import NOTHING, Work
from . import shapes
from .memory import bytes_of, can_recompute, graph_bytes, pass_bytes, recomputed
from .quantized import count_of
from .weights import Dividable, Trainable, Weights, weights_of

S = TypeVar("S", bound=Checkpoint)
R = TypeVar("R", bound=Trainable)
Values = Callable[[nn.Module], Tensor]
"""What a forward pass of a module gives."""


ENCODED = 50_000
"""Texts whose token ids an engine keeps: each step needs them again. About 40 bytes a token."""


@dataclass(frozen=True)
class Part:
    """A `Pass` before it is said under which weights `values` runs."""

    rows: Sequence[int]
    values: Values
    share: float = 0.0
    work: Work = NOTHING


class CheckpointEngine(ABC, Generic[S, R]):
    """All models of a kind; those of one `Base.key` share one resident.

    Args:
        models: their specs by name; a `device` that one has is where it lives, and no `auto`.
        resident: loads what a spec names.
    """

    def __init__(
        self,
        models: Mapping[str, S],
        resident: Callable[[S, torch.device], R],
        *,
        device: torch.device,
        seed: int,
    ) -> None:
        self._specs = dict(models)
        self._device = device
        self._places = {name: _place(spec, device) for name, spec in models.items()}
        self._fits: dict[str, float] = {}
        self._done = NOTHING
        self._is_divided = False
        self._gathering: dict[str, Callable[[], None]] = {}
        """Announces that a divided model is put together."""
        by_base: dict[Hashable, dict[str, S]] = defaultdict(dict)
        for name, spec in models.items():
            by_base[spec.base.key][name] = spec
        found: dict[str, Weights[R]] = {}
        for specs in by_base.values():
            spec = next(iter(specs.values()))
            base = resident(spec, shapes.held_on(_place(spec, device)))
            found.update(weights_of(base, specs, seed))
        self._weights = {name: found[name] for name in models}

    def passes(
        self, requests: Sequence[Request], *, reference: bool, gradients: bool = False
    ) -> list[Pass]:
        """Passes of one call's requests; each switches to the weights of all of them."""
        if not requests:
            return []
        model = requests[0].model
        weights = self._weights[model]
        recompute = gradients and self._specs[model].gradient_checkpointing
        out = []
        for part in self._parts(weights, requests, gradients):
            run = partial(self._counted, part, weights, reference, recompute)
            # Nothing may be switched on between a pass and its backward pass: not to be held.
            share = math.inf if recompute else part.share
            out.append(Pass(tuple(part.rows), run, share, part.work, waits=not self._is_divided))
        if reference:
            out[-1] = replace(out[-1], run=partial(_run_last, weights, out[-1].run))
        return out

    def _counted(self, part: Part, weights: Weights[R], reference: bool, recompute: bool) -> Tensor:
        self._done += part.work
        return _run(weights, reference, part.values, recompute)

    def work(self) -> Work:
        """The tokens that models were run on; see `Counting`."""
        return self._done

    def log_prob(self, requests: Sequence[Request], *, reference: bool) -> Tensor:
        """[len(requests)], nats, float32."""
        return total(self.passes(requests, reference=reference), len(requests), self._device)

    @abstractmethod
    def _parts(
        self, weights: Weights[R], requests: Sequence[Request], gradients: bool
    ) -> Iterator[Part]:
        """What the forward passes give of requests that run under the same weights.

        Args:
            gradients: their graphs fit into memory one at a time, see `_fitting`.
        """

    def fingerprint(self, request: Request) -> str | None:
        """Of the untouched base and of what is scored under it; see `Fingerprinted`."""
        weights = self._weights[request.model]
        return repr((weights.digest, weights.resident.settings, self._content(request)))

    @abstractmethod
    def _content(self, request: Request) -> Hashable:
        """What of a request its value depends on, beside the base; its `repr` tells it."""

    @abstractmethod
    def _probe(self, model: str) -> Values:
        """A little work of a model: always the same."""

    def _fitting(self, model: str) -> float:
        """How many times the graph of a model's probe fits into one pass.

        As the probe is always the same, a resumed run cuts its passes as before.
        """
        if model not in self._fits:
            weights, recompute = self._weights[model], self._specs[model].gradient_checkpointing
            run = partial(_run, weights, False, self._probe(model), recompute)
            held = graph_bytes(weights.module(reference=False), run)
            self._fits[model] = pass_bytes(self._places[model]) / max(held, 1)
        return self._fits[model]

    def _require_recomputing(self) -> None:
        """Refuses `gradient_checkpointing` of models that do not have it.

        Raises:
            InputError: with the model's name.
        """
        for name, spec in self._specs.items():
            module = self._weights[name].module(reference=False)
            if spec.gradient_checkpointing and not can_recompute(module, self._probe(name)):
                raise InputError(
                    f"model {name!r}: {spec.id!r} has no gradient checkpointing, or one that "
                    "changes what it computes: leave out `gradient_checkpointing`"
                )

    def divide(self, sharding: Sharding) -> None:
        """Divides all models over processes; see `Divided`. Asked for once, before anything else.

        Raises:
            InputError: a model cannot be.
        """
        for name, spec in self._specs.items():
            if spec.is_trained:
                self._fitting(name)  # measured on the whole, and by all processes
        first: dict[int, str] = {}
        for name, weights in self._weights.items():
            assert isinstance(weights, Dividable)
            _ = weights.digest  # all processes find it together
            weights.prepare(sharding)
            first.setdefault(id(weights.resident), name)
        for name in first.values():
            self._weights[name].resident.divide(sharding, self._probe(name))
        for name, weights in self._weights.items():
            assert isinstance(weights, Dividable)
            weights.divide(sharding, self._probe(name), partial(self._idle, name))
        for name in self._specs:
            announced = partial(sharding.together.announce, self._gathers(sharding, name))
            self._gathering[name] = announced
        self._is_divided = True
        for name, spec in self._specs.items():
            if spec.is_trained:
                self._require_sums(name)

    def _require_sums(self, model: str) -> None:
        """Refuses a divided model whose gradients are not summed: a pass shows it.

        Torch sums them once the backward pass goes through a block.

        Raises:
            InputError: with the model's name.
        """
        self._idle(model)
        parameters = self.parameters(model).values()
        summed = all(parameter.grad is not None for parameter in parameters)
        for parameter in parameters:
            parameter.grad = None
        if not summed:
            raise InputError(
                f"model {model!r}: nothing that is trained lies in a layer, so that its gradients "
                "cannot be summed where it is divided: set `shard: false`, or adapt layers too "
                "(`lora.target_modules`)"
            )

    def _gathers(self, sharding: Sharding, model: str) -> int:
        """The number by which putting a model together is announced: that takes all processes."""
        weights = self._weights[model]
        assert isinstance(weights, Dividable)

        def beside() -> None:
            with weights.gathered(here=False):
                """What another process needs."""

        return sharding.together.join(beside, lambda: None)

    @contextlib.contextmanager
    def gathered(self, model: str, *, here: bool) -> Iterator[None]:
        """What is trained of a model is whole until the block ends; see `Divisible`."""
        weights = self._weights[model]
        if not self._is_divided:
            yield
            return
        assert isinstance(weights, Dividable)
        self._gathering[model]()
        with weights.gathered(here=here):
            yield

    def _idle(self, model: str) -> None:
        """A training pass of a model that changes nothing."""
        weights, recompute = self._weights[model], self._specs[model].gradient_checkpointing
        adapters = weights.resident.adapters
        active = adapters.active
        with torch.enable_grad():
            values = _run(weights, False, self._probe(model), recompute)
            values.backward(torch.zeros_like(values))
        adapters.module(active)

    def parameters(self, model: str) -> dict[str, nn.Parameter]:
        """What is trained of `model`, by module name; empty for a frozen one."""
        return self._weights[model].parameters()

    def set_reference(self, model: str, weights: dict[str, Tensor] | None) -> None:
        """Makes `weights` the reference of `model`; None: as before training."""
        self._weights[model].set_reference(weights)

    def bases(self) -> list[Base]:
        """The checkpoints in memory, without what is trained."""
        models: dict[int, list[str]] = defaultdict(list)
        for name, weights in self._weights.items():
            models[id(weights.resident)].append(name)
        return [self._base(several) for several in models.values()]

    def whole(self, model: str) -> Whole:
        """By the blocks that `Divided` would find; see `Foreseen`."""
        from .divided import blocks

        module = self._weights[model].module(reference=False)
        every = bytes_of(module)
        sizes = [bytes_of(block) for block in blocks(module, self._probe(model))]
        # A block's weights, and the parts of all processes that these are put together from.
        return Whole(every, every - sum(sizes) + 2 * max(sizes, default=0))

    def _base(self, models: Sequence[str]) -> Base:
        weights = self._weights[models[0]].resident.weights
        held = list(weights.values())
        types = Counter({t.dtype: 0 for t in held})
        for tensor in held:
            types[tensor.dtype] += tensor.numel()
        (dtype, _), *_ = types.most_common()
        return Base(
            self._specs[models[0]].id,
            tuple(models),
            count_of(weights),
            sum(tensor.numel() * tensor.element_size() for tensor in held),
            self._specs[models[0]].base.load_in or str(dtype).removeprefix("torch."),
            str(self._places[models[0]]),
        )

    def digest(self, model: str) -> str:
        """The digest of the checkpoint's own weights."""
        return self._weights[model].digest

    def save(self, model: str, folder: Path) -> None:
        """Writes the adapter, or for `train: full` the whole copy, into `folder`."""
        self._weights[model].save(folder)

    def load(self, model: str, folder: Path) -> None:
        """Reads what `save` wrote, or raises InputError and changes nothing."""
        self._weights[model].load(folder)

    def export(self, model: str, adapter: Path, whole: Path, *, merge: bool) -> Mapping[str, Path]:
        """Writes the adapter, or what is trained or merged whole; see `Exported`."""
        return self._weights[model].export(adapter, whole, merge=merge)


def _place(spec: Checkpoint, device: torch.device) -> torch.device:
    """Where a model lives, or would if it were more than shapes."""
    return torch.device(spec.device) if spec.device is not None else shapes.device_of(device)


def _run_last(weights: Weights[R], run: Callable[[], Tensor]) -> Tensor:
    """The last pass under the reference's weights: they need not stay on the device."""
    try:
        return run()
    finally:
        weights.release()


def _run(weights: Weights[R], reference: bool, values: Values, recompute: bool) -> Tensor:
    module = weights.module(reference=reference)
    with recomputed(module) if recompute else contextlib.nullcontext():
        return values(module)
