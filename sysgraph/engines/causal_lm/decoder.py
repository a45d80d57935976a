"""A causal LM run token by token on its own cache, whose rows can be copied, moved and dropped."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor, nn

from ...errors import InputError
from ..checkpoints.batching import padded
from .head import head_only_at


class Decoder:
    """Prompts of different length side by side, padded on the left; nothing attends to padding.

    Args:
        module: a causal LM of transformers, with or without a peft adapter.

    Raises:
        InputError: the model keeps no keys and values.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._cache: Any = None  # the model makes the kind that fits it
        base = module.get_base_model() if isinstance(module, PeftModel) else module
        accepted = inspect.signature(base.forward).parameters
        self._has_positions = "position_ids" in accepted
        if "past_key_values" not in accepted:
            raise InputError(
                f"beam search needs a key-value cache, which {type(base).__name__} does not have"
            )

    def start(self, prompts: Sequence[tuple[int, ...]]) -> Tensor:
        """Logits after each prompt: [len(prompts), V]. Every prompt has a token."""
        device = next(self._module.parameters()).device
        tokens, self._mask = padded(prompts, 0, device, left=True)  # (R, T)
        last = torch.arange(1, len(prompts) + 1, device=device) * tokens.shape[1] - 1
        with head_only_at(self._module, last):
            logits = self._run(tokens, (self._mask.cumsum(1) - 1).clamp(min=0))
        return logits[0]

    def step(self, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Logits after `tokens`, each written behind one of the rows there are: [len(rows), V].

        `rows` become the rows of the next step: any selection of the present ones, in any order.
        """
        if list(rows) != list(range(len(self._mask))):  # moving a cache costs as much as reading it
            index = torch.tensor(rows, device=self._mask.device)
            self._cache.reorder_cache(index)
            self._mask = self._mask[index]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(rows), 1)], dim=1)
        column = torch.tensor(tokens, device=self._mask.device)[:, None]
        return self._run(column, self._mask.sum(1, keepdim=True) - 1)[:, -1]

    def _run(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Logits of `tokens` [R, t] at `positions` [R, t], both appended to the cache."""
        extra = {"position_ids": positions} if self._has_positions else {}
        out = self._module(
            input_ids=tokens,
            attention_mask=self._mask,
            use_cache=True,
            past_key_values=self._cache,
            **extra,
        )
        self._cache = out.past_key_values
        logits: Tensor = out.logits
        return logits
