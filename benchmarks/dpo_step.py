"""One DPO step on a graph of one LM with LoRA, one pair a step: four sides on the same rows.

TRL as it comes computes the reference in every step, and so does the plain code; with
`precompute_ref_log_probs`, as in sysgraph, that is done before the steps and not timed. All steps
start from the same weights, which are put back between them, so that each step's loss,
log-probabilities and gradient can be compared.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from torch import Tensor

from .counting import flops
from .pairs import Pair
from .row import Options, Row, ratio
from .sides.eager import Eager
from .sides.equality import (
    Gradients,
    Parameters,
    copy,
    gradients_of,
    require_close,
    require_close_gradients,
)
from .sides.ours import Ours
from .sides.trls import Trl
from .timing import interleaved, own

SPREAD = 0.02
"""How far the policy's adapter is from none: both sides of DPO's sigmoid count."""


def one_lm(model: Path) -> dict[str, object]:
    """The graph of one LM node."""
    return {
        "sysgraph": 1,
        "name": "one",
        "models": {"lm": {"kind": "causal_lm", "id": str(model), "train": "lora"}},
        "nodes": {
            "question": {"kind": "input"},
            "answer": {"kind": "lm", "model": "lm", "prompt": "{{ question }}"},
        },
        "edges": ["question -> answer"],
        "outputs": ["answer"],
    }


def compared(
    options: Options, row: str, work: str, rows: list[Pair], goals: Mapping[str, float]
) -> Iterator[Row]:
    """The lines of one work, against each of the sides of `goals`.

    Args:
        rows: one more than the repetitions: the first step warms up.
    """
    with tempfile.TemporaryDirectory() as folder:
        sides = Sides(options, rows, Path(folder))
        repetitions = len(rows) - 1
        seconds = interleaved(
            sides.steps, repetitions, clock=own, check=sides.check, tell=options.tell
        )
    ours = seconds.pop("sysgraph")
    for name, theirs in seconds.items():
        yield Row(
            row,
            work,
            name,
            ratio(theirs, ours),
            goals.get(name),
            flops=sides.flops[name] / sides.flops["sysgraph"],
            times={name: theirs, "sysgraph": ours},
        )


class Sides:
    """All sides with the same weights, ready for their steps."""

    def __init__(self, options: Options, rows: list[Pair], folder: Path) -> None:
        model, device = options.language_model, options.device
        options.tell(f"{len(rows) - 1} repetitions of {', '.join(SIDES)}")
        self._ours = Ours(one_lm(model), rows, device=device, spread=SPREAD)
        self._ours.prepare()
        self._order = [row for (row,) in self._ours.order]
        self._log_probs = self._ours.log_probs()["answer"]
        trl = Trl(model, rows, folder / "trl", device=device)
        known = Trl(model, rows, folder / "known", precompute=True, device=device)
        eager = Eager(model, trl.rows, device=device)
        takes: dict[str, tuple[Callable[[int], Tensor], Parameters]] = {
            "sysgraph": (lambda row: self._ours.step(), self._ours.parameters()["lm"]),
            "TRL": (lambda row: trl.step([row]), trl.parameters()),
            "TRL, precomputed reference": (lambda row: known.step([row]), known.parameters()),
            "plain code": (lambda row: eager.step(row), eager.parameters()),
        }
        self._last: dict[str, Callable[[], Tensor]] = {
            "TRL": trl.log_probs,
            "TRL, precomputed reference": known.log_probs,
            "plain code": lambda: eager.last,
        }
        self.parameters = {name: parameters for name, (_, parameters) in takes.items()}
        ours = self.parameters["sysgraph"]
        self._start = {name: weight.detach().clone() for name, weight in ours.items()}
        self._put_back()
        self._gradients: dict[str, Gradients] = {}
        self.flops: dict[str, int] = {}
        """Of the step that warms up, by side."""
        self.steps = {name: self._noted(name, take) for name, (take, _) in takes.items()}

    def check(self, number: int, losses: Mapping[str, object]) -> None:
        """That all sides took the same step; their weights are put back.

        Raises:
            MismatchError: they did not.
        """
        for name in self._last:
            what = f"step {number}, sysgraph and {name}"
            loss, others = losses["sysgraph"], losses[name]
            assert isinstance(loss, Tensor)
            assert isinstance(others, Tensor)
            require_close(f"{what}, loss", loss, others)
            wanted = self._log_probs[self._order[number]]
            require_close(f"{what}, log p", wanted, self._last[name]())
            require_close_gradients(what, self._gradients["sysgraph"], self._gradients[name])
        self._put_back()

    def _put_back(self) -> None:
        for parameters in self.parameters.values():
            copy(self._start, parameters)

    def _noted(self, name: str, take: Callable[[int], Tensor]) -> Callable[[int], Tensor]:
        """The step that also notes its gradient and, where it warms up, its FLOPs."""

        def step(number: int) -> Tensor:
            row = self._order[number]
            with gradients_of(self.parameters[name]) as self._gradients[name]:
                if number:
                    return take(row)
                self.flops[name], loss = flops(lambda: take(row))
            assert isinstance(loss, Tensor)
            return loss

        return step


SIDES = ("sysgraph", "TRL", "TRL, precomputed reference", "plain code")
