"""The sides that are timed take the same step, and none is timed that does not."""

from pathlib import Path

import pytest
import torch

from benchmarks import dpo_step, moa
from benchmarks.dpo_step import SIDES, Sides
from benchmarks.row import MismatchError, Options, ratio
from benchmarks.timing import interleaved

PAIRS = [
    {"prompt": "3 + 4 = ", "chosen": "7 clips", "rejected": "12"},
    {"prompt": "Half of 48 is", "chosen": " 24.", "rejected": " not known"},
]


@pytest.fixture(autouse=True)
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small a model's adapters must be large, for policy and reference to differ."""
    for module in (dpo_step, moa):
        monkeypatch.setattr(module, "SPREAD", 0.3)


def test_one_lm(tiny: Options, tmp_path: Path) -> None:
    """Loss, log-probabilities and gradients of four sides are equal; then those of one are not."""
    sides = Sides(tiny, PAIRS, tmp_path)
    seconds = interleaved(sides.steps, 0, check=sides.check)
    assert list(seconds) == list(SIDES)
    assert sides.flops["TRL"] > sides.flops["TRL, precomputed reference"]

    weight = next(iter(sides.parameters["plain code"].values()))
    with torch.no_grad():
        weight += 0.5
    losses = {name: step(1) for name, step in sides.steps.items()}
    with pytest.raises(MismatchError, match="sysgraph and plain code, loss"):
        sides.check(1, losses)


def test_seven_lms(tiny: Options, tmp_path: Path) -> None:
    """The system's gradient at each node is the chain rule over seven steps of TRL."""
    sides = moa.Sides(tiny, tmp_path)
    interleaved({"sysgraph": sides.ours, "TRL": sides.theirs}, 0, check=sides.check)
    assert sides.flops["TRL"] > sides.flops["sysgraph"]
    with pytest.raises(MismatchError, match="step 1, log p of"):
        sides.check(1, {})  # of another row than the step was taken on


def test_a_ratio_is_that_of_each_repetition() -> None:
    """Not of the medians: the machine was slow in the third one, for both."""
    assert ratio([2.0, 4.0, 30.0], [1.0, 2.0, 10.0]) == 2.0
    assert ratio([1.0, 8.0, 9.0], [1.0, 2.0, 9.0]) == 1.0
