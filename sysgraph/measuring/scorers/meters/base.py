"""What a meter is."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch

from ....support.errors import InputError
from ....traces.pictures import Picture

BATCH = 32
"""Images in one call of the model."""

A = TypeVar("A", bound=Hashable)


class Meter(ABC, Generic[A]):
    """How much of an attribute images have, as a model sees it.

    `name` is how a scorer's spec writes it. An image is looked at once for each thing that is asked
    of it, as long as the meter lives.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._known: dict[tuple[str, A], float] = {}

    @abstractmethod
    def asked(self, fields: Mapping[str, Any]) -> A:
        """What is asked of the images of an input row with these fields.

        Raises:
            InputError: the fields do not say it, or the model does not know it.
        """

    @abstractmethod
    def forward(self, pictures: Sequence[Picture], asked: Sequence[A]) -> list[float]:
        """One value per picture and what is asked of it: [B], float32, one call of the model."""

    @torch.inference_mode()
    def measure(self, pictures: Sequence[Picture], asked: Sequence[A]) -> list[float]:
        """One value per picture and what is asked of it; equal images have equal values."""
        keys = [(p.digest, a) for p, a in zip(pictures, asked, strict=True)]
        new = {k: p for k, p in zip(keys, pictures, strict=True) if k not in self._known}
        todo = list(new.items())
        for start in range(0, len(todo), BATCH):
            batch = todo[start : start + BATCH]
            values = self.forward([p for _, p in batch], [a for (_, a), _ in batch])
            self._known.update(zip((key for key, _ in batch), values, strict=True))
        return [self._known[key] for key in keys]


def text_field(fields: Mapping[str, Any], name: str) -> str:
    """The text in a row's field.

    Raises:
        InputError: there is none.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise InputError(
            f"{name}: expected a text, got {value!r:.40}"
            if name in fields
            else f"{name}: missing; expected a text (the row has {', '.join(fields) or 'nothing'})"
        )
    return value
