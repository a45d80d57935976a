"""What an engine elsewhere must know to draw as the model's own engine would, to the token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch

from sysgraph_schemas import Decoding

from ..traces.trace import Completion
from .asked import Draw


@dataclass(frozen=True, slots=True)
class Order:
    """A draw, but for its seed.

    Attributes:
        prompt: its token ids.
        room: tokens of a completion at most.
        ends: the ids that end a text; such an id is its last token.
        decoding: its temperature, top_p and stop strings, those of the model included.
    """

    prompt: tuple[int, ...]
    room: int
    ends: tuple[int, ...]
    decoding: Decoding


class Finished(NamedTuple):
    """What ids are as a value; whether they have an end, or could go on."""

    value: Completion
    ended: bool


@runtime_checkable
class Ordering(Protocol):
    """An engine whose models write texts token by token, which others can do in its place."""

    def order(self, draw: Draw) -> Order:
        """What is to be drawn.

        Raises:
            InputError: nothing can be, as `refusal` says.
        """
        ...

    def finished(self, draw: Draw, ids: Sequence[int]) -> Finished:
        """The value that `ids` are, as far as they go before this engine would have stopped."""
        ...

    def dtype(self, model: str) -> torch.dtype:
        """The type that the model is run in."""
        ...
