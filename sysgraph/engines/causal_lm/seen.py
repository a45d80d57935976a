"""Prompts' ids that stand for images too: what a model is run on besides them.

A model that reads images is given their pixels beside the ids that stand for them. What goes with
the ids of a prompt is kept with them, so that whatever handles prompts handles these too.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints.batching import Ids

Features = Mapping[str, Tensor]
"""What a model's processor makes of a prompt besides ids, by the names that its `forward` has."""


@dataclass(frozen=True)
class Sight:
    """What goes with a prompt's ids.

    Attributes:
        images: equal for equal images.
        shape: rows whose shapes are equal can be run side by side.
        stand_ins: the ids that stand for images.
        load: gives the features, whose first dimension is rows', images' or patches'.
    """

    images: Hashable
    shape: Hashable
    stand_ins: frozenset[int]
    load: Callable[[], Features] = field(compare=False, repr=False)


class SeenIds(tuple[int, ...]):
    """A prompt's ids with its sight: equal where the images are equal too."""

    sight: Sight

    def __new__(cls, ids: Ids, sight: Sight) -> "SeenIds":
        """These ids, which begin as those that the sight is of."""
        made = super().__new__(cls, ids)
        made.sight = sight
        return made

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, SeenIds) and self.sight == other.sight
        return same and tuple(self) == tuple(other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((tuple(self), self.sight))

    def __repr__(self) -> str:
        return f"{tuple(self)!r} of {self.sight.images!r}"


def sight_of(prompt: Ids) -> Sight | None:
    """What goes with a prompt's ids, if anything does."""
    return prompt.sight if isinstance(prompt, SeenIds) else None


def shape_of(prompt: Ids) -> Hashable:
    """Equal for prompts that can be run side by side."""
    sight = sight_of(prompt)
    return None if sight is None else sight.shape


def first(prompt: Ids, count: int) -> Ids:
    """A prompt's first ids, all that stand for images among them, with its sight."""
    sight = sight_of(prompt)
    return prompt[:count] if sight is None else SeenIds(prompt[:count], sight)


def seen_inputs(
    prompts: Sequence[Ids], tokens: Tensor, dtype: torch.dtype, *, left: int | None = None
) -> dict[str, Any]:
    """What a model is run on besides ids, and the ids as it is given them: none without images.

    Args:
        prompts: of the rows, all of one shape.
        tokens: [B, T], what the rows' prompts begin, or come after padding.
        dtype: of the pixels.
        left: how many columns the prompts and the padding before them take; None: rows have no
            padding before them.
    """
    sights = [sight_of(prompt) for prompt in prompts]
    found = [sight.load() for sight in sights if sight is not None]
    if not found:
        return {}
    assert len(found) == len(prompts), "rows with images and without side by side"
    starts = [0 if left is None else left - len(prompt) for prompt in prompts]
    out: dict[str, Any] = {"input_ids": tokens}
    for name in found[0]:
        parts = [features[name] for features in found]
        if is_by_token(name, parts[0]):
            whole = torch.zeros_like(tokens)
            for row, (start, part, prompt) in enumerate(zip(starts, parts, prompts, strict=True)):
                size = min(part.shape[1], len(prompt))
                whole[row, start : start + size] = part[0, :size].to(tokens.device)
            out[name] = whole
        else:
            joined = torch.cat(parts).to(tokens.device)
            out[name] = joined.to(dtype) if joined.is_floating_point() else joined
    # A text ends where an id that stands for an image was drawn: it is scored, and never read.
    ids = torch.tensor(sorted(sights[0].stand_ins), device=tokens.device)  # type: ignore[union-attr]
    ends = [start + len(prompt) for start, prompt in zip(starts, prompts, strict=True)]
    columns = torch.arange(tokens.shape[1], device=tokens.device)
    written = columns >= torch.tensor(ends, device=tokens.device)[:, None]
    out["input_ids"] = tokens.masked_fill(written & torch.isin(tokens, ids), 0)
    return out


def dtype_of(module: nn.Module) -> torch.dtype:
    """What pixels are given to a module as: the type of its weights."""
    return next(p.dtype for p in module.parameters() if p.is_floating_point())


def is_by_token(name: str, feature: Tensor) -> bool:
    """Whether a feature has a number for each token: [1, T]."""
    return name.endswith("token_type_ids") and feature.dim() == 2
