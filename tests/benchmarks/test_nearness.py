"""What a GPU is asked first: whether numbers are as near to exact ones as plain code's."""

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks import nearness
from benchmarks.row import Options
from sysgraph.engines.causal_lm import head

PAIRS = [
    {"prompt": "3 + 4 = ", "chosen": "7 clips", "rejected": "12"},
    {"prompt": "Half of 48 is", "chosen": " 24.", "rejected": " not known"},
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_near(dtype: torch.dtype, tiny: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are; and are not where what is summed was rounded to bfloat16."""
    monkeypatch.setattr(nearness, "SPREAD", 0.3)
    model = tiny.language_model
    assert nearness.nearness(model, PAIRS, dtype, "cpu").near
    chunk = head._chunk

    def rounded(*given: Any) -> tuple[Tensor, ...]:
        return tuple(part.bfloat16().float() for part in chunk(*given))

    monkeypatch.setattr(head, "_chunk", rounded)
    assert not nearness.nearness(model, PAIRS, dtype, "cpu").near
