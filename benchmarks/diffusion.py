"""B: a Diffusion-DPO step on a graph of one painter, beside a loop as the published code's.

One pair a step. sysgraph encodes an image and a caption once, at their first visit, which is not
timed; and with a bank of noises the reference's values are computed before the steps. All steps
start from the same weights, which are put back between them.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from sysgraph.engines.diffusion.noise import normals
from sysgraph.objectives.diffusion import timesteps_of

from . import tiny_painter
from .counting import flops
from .row import Options, Row, ratio
from .sides.equality import Gradients, copy, gradients_of, require_close, require_close_gradients
from .sides.ours import Ours
from .sides.published_diffusion import PublishedDiffusion
from .timing import interleaved, own

GOALS = {"latents kept": 1.35, "latents kept, reference bank": 1.9}
BETA_DPO = 60.0
"""Of the published code, whose 5000 would leave no gradient on random weights."""
_LORA = {"r": 16, "lora_alpha": 32, "target_modules": ["to_q", "to_k", "to_v", "to_out.0"]}
_TOLERANCE = 1e-3
"""Of the largest gradient: at late timesteps both images are little but the noise that they share,
and what the loss differentiates is the difference of two nearly equal errors."""
_NOTE = (
    "a small random Stable Diffusion, from the second visit of a pair on; 97 % of our step are the "
    "UNet's passes"
)
_SPREADS = {"lora": 0.02, "full": 0.002}
"""How far the policy is from the reference: see `dpo_step.SPREAD`."""


def rows(options: Options) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = tiny_painter.save(folder / "painter", quick=options.quick)
        data = tiny_painter.pairs(folder, options.repetitions + 1, pixels)
        for train in _SPREADS:
            yield from _compared(options, folder / "painter", data, train)


def _compared(
    options: Options, painter: Path, data: list[dict[str, Any]], train: str
) -> Iterator[Row]:
    """The lines of one way of training."""
    sides = _Sides(painter, data, train, options.device)
    times = interleaved(
        sides.steps, options.repetitions, clock=own, check=sides.check, tell=options.tell
    )
    theirs = times[sides.PUBLISHED]
    for what, goal in GOALS.items():
        yield Row(
            "B",
            f"Diffusion-DPO step, one pair, {train}, {what}",
            "a loop as the published code",
            ratio(theirs, times[what]),
            goal,
            flops=sides.flops[sides.PUBLISHED] / sides.flops[what],
            times={sides.PUBLISHED: theirs, "sysgraph": times[what]},
            note=_NOTE,
        )


class _Sides:
    """Three sides with the same weights."""

    PUBLISHED = "published"

    def __init__(self, painter: Path, data: list[dict[str, Any]], train: str, device: str) -> None:
        self._data = data
        spread = _SPREADS[train]
        self._ours = {
            what: Ours(one_painter(painter, train, bank=bank), data, device=device, spread=spread)
            for what, bank in zip(GOALS, (None, 1), strict=True)
        }
        for one in self._ours.values():
            one.log_probs()  # the first visit of each pair
            one.prepare()
        lora = _LORA if train == "lora" else None
        self._plain = PublishedDiffusion(painter, lora=lora, beta=BETA_DPO, device=device)
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
        (timestep,) = timesteps_of(seeds, self._plain.timesteps)
        return self._plain.step(self._data[row], normals(seeds, self._plain.latents), timestep)


def one_painter(painter: Path, train: str, *, bank: int | None) -> dict[str, Any]:
    """The graph of one diffusion node, with the published loss.

    Args:
        bank: sets of noises a pair; None: new ones at every visit.
    """
    objective = {"preset": "diffusion_dpo", "scale": BETA_DPO, "bank": bank}
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
