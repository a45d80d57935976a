"""B: a Diffusion-DPO step on a graph of one painter, beside a loop as the published code's.

So too a Flow-DPO step, of a painter that is trained by flow matching.

One pair a step. sysgraph encodes an image and a caption once, at their first visit, which is not
timed; and with a bank of noises the reference's values are computed before the steps. All steps
start from the same weights, which are put back between them.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from sysgraph.engines.diffusion.noise import normals
from sysgraph.objectives.diffusion import sigmas_of, timesteps_of

from . import tiny_flow, tiny_painter
from .counting import flops
from .row import Options, Row, ratio
from .sides.equality import Gradients, copy, gradients_of, require_close, require_close_gradients
from .sides.ours import Ours
from .sides.published_diffusion import PublishedDiffusion
from .sides.published_flow import PublishedFlow
from .timing import interleaved, own

GOALS = {"latents kept": 1.35, "latents kept, reference bank": 1.9}
BETA_DPO = 60.0
"""Of the published code, whose 5000 would leave no gradient on random weights."""
_LORA = {"r": 16, "lora_alpha": 32, "target_modules": ["to_q", "to_k", "to_v", "to_out.0"]}
_TOLERANCE = 1e-3
"""Of the largest gradient: at late timesteps both images are little but the noise that they share,
and what the loss differentiates is the difference of two nearly equal errors."""
_SPREADS = {"lora": 0.02, "full": 0.002}
"""How far the policy is from the reference: see `dpo_step.SPREAD`."""
Published = PublishedDiffusion | PublishedFlow


class Kind(NamedTuple):
    """A kind of painter that is compared."""

    what: str
    preset: str
    published: type[Published]
    save: Callable[..., int]
    note: str


KINDS = (
    Kind(
        "Diffusion-DPO",
        "diffusion_dpo",
        PublishedDiffusion,
        tiny_painter.save,
        "a small random Stable Diffusion, from the second visit of a pair on; 97 % of our step are "
        "the UNet's passes",
    ),
    Kind(
        "Flow-DPO",
        "flow_dpo",
        PublishedFlow,
        tiny_flow.save,
        "a small random Stable Diffusion 3, from the second visit of a pair on",
    ),
)


def rows(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in KINDS:
            painter = folder / kind.preset
            pixels = kind.save(painter, quick=options.quick)
            data = tiny_painter.pairs(folder, options.repetitions + 1, pixels)
            for train in _SPREADS:
                yield from _compared(options, kind, painter, data, train)


def _compared(
    options: Options, kind: Kind, painter: Path, data: list[dict[str, Any]], train: str
) -> Iterator[Row]:
    """The lines of one way of training."""
    sides = _Sides(kind, painter, data, train, options.device)
    times = interleaved(
        sides.steps, options.repetitions, clock=own, check=sides.check, tell=options.tell
    )
    theirs = times[sides.PUBLISHED]
    for what, goal in GOALS.items():
        yield Row(
            "B",
            f"{kind.what} step, one pair, {train}, {what}",
            "a loop as the published code",
            ratio(theirs, times[what]),
            goal,
            flops=sides.flops[sides.PUBLISHED] / sides.flops[what],
            times={sides.PUBLISHED: theirs, "sysgraph": times[what]},
            note=kind.note,
        )


class _Sides:
    """Three sides with the same weights."""

    PUBLISHED = "published"

    def __init__(
        self, kind: Kind, painter: Path, data: list[dict[str, Any]], train: str, device: str
    ) -> None:
        self._data = data
        spread = _SPREADS[train]
        self._ours = {
            what: Ours(
                one_painter(painter, train, bank=bank, preset=kind.preset),
                data,
                device=device,
                spread=spread,
            )
            for what, bank in zip(GOALS, (None, 1), strict=True)
        }
        for one in self._ours.values():
            one.log_probs()  # the first visit of each pair
            one.prepare()
        lora = _LORA if train == "lora" else None
        self._plain = kind.published(painter, lora=lora, beta=BETA_DPO, device=device)
        self._parameters = {
            what: one.parameters()["painter"] for what, one in self._ours.items()
        } | {self.PUBLISHED: self._plain.parameters()}
        first = next(iter(self._ours.values()))
        self._order, self._noises = [row for (row,) in first.order], first.noises
        self._start = {
            name: weight.detach().clone() for name, weight in first.parameters()["painter"].items()
        }
        self._put_back()
        self._gradients: dict[str, Gradients] = {}
        self.flops: dict[str, int] = {}
        """Of the step that warms up, by side."""
        self.steps = {name: self._noted(name) for name in self._parameters}

    def check(self, number: int, losses: Mapping[str, object]) -> None:
        """That all sides took the same step; their weights are put back.

        Raises:
            MismatchError: they did not.
        """
        theirs = losses[self.PUBLISHED]
        assert isinstance(theirs, Tensor)
        for what in GOALS:
            ours = losses[what]
            assert isinstance(ours, Tensor)
            require_close(f"step {number}, {what}, loss", ours, theirs)
            require_close_gradients(
                f"step {number}, {what}",
                self._gradients[what],
                self._gradients[self.PUBLISHED],
                _TOLERANCE,
            )
        self._put_back()

    def _put_back(self) -> None:
        for parameters in self._parameters.values():
            copy(self._start, parameters)

    def _noted(self, name: str) -> Any:
        """The step that also notes its gradient and, where it warms up, its FLOPs."""

        def step(number: int) -> Tensor:
            def take() -> Tensor:
                if name in self._ours:
                    return self._ours[name].step()
                return self._published(self._order[number])

            with gradients_of(self._parameters[name]) as self._gradients[name]:
                if number:
                    return take()
                self.flops[name], loss = flops(take)
            return loss

        return step

    def _published(self, row: int) -> Tensor:
        """The loop's step on a row, under the noise that sysgraph has for it."""
        seeds = self._noises.draws("image", row, 0)
        noise = normals(seeds, self._plain.latents)
        if isinstance(self._plain, PublishedFlow):
            (sigma,) = sigmas_of(seeds, "logit_normal")
            return self._plain.step(self._data[row], noise, sigma)
        (timestep,) = timesteps_of(seeds, self._plain.timesteps)
        return self._plain.step(self._data[row], noise, timestep)


def one_painter(
    painter: Path, train: str, *, bank: int | None, preset: str = "diffusion_dpo"
) -> dict[str, Any]:
    """The graph of one diffusion node, with the published loss.

    Args:
        bank: sets of noises a pair; None: new ones at every visit.
        preset: whose loss.
    """
    objective = {"preset": preset, "scale": BETA_DPO, "bank": bank}
    lora = {"r": _LORA["r"], "alpha": _LORA["lora_alpha"]}
    return {
        "sysgraph": 1,
        "name": "painter",
        "models": {
            "painter": {
                "kind": "diffusion",
                "id": str(painter),
                "train": train,
                **({"lora": lora} if train == "lora" else {}),
                "objective": {k: v for k, v in objective.items() if v is not None},
            }
        },
        "nodes": {
            "caption": {"kind": "input"},
            "image": {"kind": "diffusion", "model": "painter", "prompt": "{{ caption }}"},
        },
        "edges": ["caption -> image"],
        "outputs": ["image"],
        "fit": {"beta": 1.0},
    }
