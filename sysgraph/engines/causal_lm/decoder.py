"""A causal LM run token by token, whose rows can be copied, moved and dropped."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from ...support.errors import RunError
from ..checkpoints import shapes
from ..checkpoints.batching import Ids, padded
from .head import head_only_at
from .seen import dtype_of, seen_inputs

_CACHES = ("past_key_values", "cache_params", "state")
"""What transformers calls a cache, of its inputs and its outputs: of attention, Mamba, RWKV."""


class NotFinite(RunError):
    """A model gives logits that are NaN or +infinite, or no token any probability.

    Attributes:
        row: the first text with such, of those that are written together.
        length: tokens of it that are written, the one that is not drawn included.
    """

    def __init__(self, row: int, length: int) -> None:
        super().__init__(
            f"its logits are NaN or +infinite at token {length} of the text: "
            "training diverged, or its dtype is too narrow for it"
        )
        self.row, self.length = row, length


@dataclass(frozen=True)
class Way:
    """How rows are written token by token; see `probe` for which ways give a model's own results.

    Attributes:
        cached: go on from the model's own cache; else every step runs whole rows again.
        padded: rows of different length side by side, padded on the left, out of sight.
        positions: give each token's position; else the model counts.
    """

    cached: bool = True
    padded: bool = True
    positions: bool = True


FASTEST = Way()
"""What most models allow."""


class Decoder:
    """Prompts side by side, which have one length unless `way` is padded.

    Args:
        module: a causal LM of transformers, with or without a peft adapter.
    """

    _prompts: list[Ids]
    _width: int

    def __init__(self, module: nn.Module, way: Way) -> None:
        self._module, self._way = module, way
        self._cache: Any = None  # the model makes the kind that fits it
        base = module.get_base_model() if isinstance(module, PeftModel) else module
        accepted = inspect.signature(base.forward).parameters
        self._has_positions = way.positions and "position_ids" in accepted
        kept = [name for name in _CACHES if name in accepted]
        self._kept = kept[0] if kept and way.cached else None
        self._written = 0

    def start(self, prompts: Sequence[Ids]) -> Tensor:
        """Logits after each prompt: [len(prompts), V]. Every prompt has a token.

        Raises:
            NotFinite: they are no distribution.
        """
        device = next(self._module.parameters()).device
        self._prompts, self._width = list(prompts), max(map(len, prompts))
        self._tokens, self._mask = padded(prompts, device, left=True)  # (R, T)
        return self._run(self._tokens)

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Logits after `tokens`, each written behind one of the rows there are: [len(rows), V].

        `rows` become the rows of the next step: any selection of the present ones, in any order.

        Raises:
            NotFinite: they are no distribution.
        """
        if list(rows) != list(range(len(self._mask))):  # moving a cache costs as much as reading it
            index = torch.tensor(rows, device=self._mask.device)
            if self._kept:
                self._cache.reorder_cache(index)
            self._tokens, self._mask = self._tokens[index], self._mask[index]
            self._prompts = [self._prompts[row] for row in rows]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(rows), 1)], dim=1)
        column = torch.tensor(tokens, device=self._mask.device)[:, None]
        self._tokens = torch.cat([self._tokens, column], dim=1)
        return self._run(column if self._kept else self._tokens)

    def _run(self, tokens: Tensor) -> Tensor:
        """Logits after the last of `tokens` [R, t], which a cache is appended: [R, V]."""
        rows, width = tokens.shape
        extra: dict[str, Any] = {}
        if self._way.padded:  # recurrent models take the mask of a step for another step's
            extra["attention_mask"] = self._mask
        if self._has_positions:
            positions = (self._mask.cumsum(1) - 1).clamp(min=0)
            extra["position_ids"] = positions[:, -width:]
        if self._kept:
            extra[self._kept] = self._cache
        inputs: dict[str, Any] = {"input_ids": tokens}
        if not self._kept or self._written == 0:  # a cache has seen the images
            dtype = dtype_of(self._module)
            inputs |= seen_inputs(self._prompts, tokens, dtype, left=self._width)
        last = torch.arange(1, rows + 1, device=tokens.device) * width - 1
        with head_only_at(self._module, last):
            out = self._module(**inputs, use_cache=self._kept is not None, **extra)
        if self._kept:
            self._cache = getattr(out, self._kept)
        logits: Tensor = out.logits[0]
        self._written += 1
        if shapes.are_all():
            return logits
        finite = logits.amax(-1).isfinite().tolist()
        if not all(finite):
            raise NotFinite(finite.index(False), self._written)
        return logits

    def grow(self, count: int) -> None:
        """As if every row had so many tokens more; of shapes alone: no model runs."""
        more = self._tokens.new_zeros(len(self._tokens), count)
        self._tokens = torch.cat([self._tokens, more], dim=1)
        self._mask = torch.cat([self._mask, more], dim=1)
        for number, layer in enumerate(getattr(self._cache, "layers", ())):
            if isinstance(getattr(layer, "keys", None), Tensor):  # of attention: others stay
                longer = [_longer(old, count) for old in (layer.keys, layer.values)]
                self._cache.update(*longer, number)


def _longer(old: Tensor, count: int) -> Tensor:
    """What is appended to keys or values [R, H, T, D] of so many tokens more; takes no memory."""
    return old[..., :1, :].expand(*old.shape[:-2], count, old.shape[-1])
