"""What a trained model takes on its device, beside its base."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from ..engines.base import Base


@dataclass(frozen=True)
class Share:
    """Bytes while it is trained.

    Attributes:
        parameters: numbers that are trained.
        running: of the weights that a pass runs on: of the adapter, or of the trained copy.
        weights: of all its weights: those, and float32 ones beside a copy in half precision.
        gradients: of their gradients.
        optimizer: of AdamW's two moments.
    """

    parameters: int
    running: int
    weights: int
    gradients: int
    optimizer: int

    @classmethod
    def of(cls, train: str, trained: Iterable[Tensor], base: Base | None) -> Self:
        """That of a model.

        Args:
            train: how it is trained.
            trained: what is trained of it.
            base: what it is on, if that is a checkpoint.
        """
        own = list(trained)
        size = sum(one.numel() * one.element_size() for one in own)
        numbers = sum(one.numel() for one in own)
        running = size
        if train == "full" and base is not None:  # a copy of what is trained, in the base's type
            running = numbers * getattr(torch, base.dtype).itemsize
        return cls(
            parameters=numbers,
            running=running,
            weights=running + (size if running < size else 0),
            gradients=size,
            optimizer=2 * size,
        )

    @property
    def lasting(self) -> int:
        """Between two passes."""
        return self.weights + self.gradients + self.optimizer
