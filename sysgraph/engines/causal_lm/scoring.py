"""Log-probabilities of completions under a causal LM."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...support.device import on_device
from ..checkpoints.batching import padded
from .attention import packed_inputs
from .head import Finish, head_log_probs, head_only_at, hidden_states_at, token_log_probs
from .packing import Packed
from .seen import dtype_of, seen_inputs
from .tokens import Encoded


def score(module: nn.Module, rows: Sequence[Encoded], *, finish: Finish | None = None) -> Tensor:
    """Log p(completion | prompt) of each row, side by side: [B], nats, float32.

    Args:
        module: a causal LM of transformers, with or without a peft adapter.
        rows: at least one; every prompt has a token, since the first one is predicted by nothing.
            All of one shape, if they have images (see `seen`).
        finish: see `finish_of`; None: all scored positions' logits exist at once.
    """
    ids = [row.ids for row in rows]
    tokens, mask = padded(ids, next(module.parameters()).device)  # (B, T)
    width = tokens.shape[1]
    # Flat indices (N,) into (B, T) of what is scored, known without asking the device.
    flat = on_device(
        [b * width + t for b, row in enumerate(rows) for t in range(len(row.prompt), len(ids[b]))],
        tokens.device,
        torch.long,
    )
    inputs = {"input_ids": tokens, "attention_mask": mask, "use_cache": False}
    inputs |= seen_inputs([row.prompt for row in rows], tokens, dtype_of(module))
    log_probs = _log_probs(module, inputs, flat - 1, tokens.flatten()[flat], finish)
    return log_probs.new_zeros(tokens.numel()).index_copy(0, flat, log_probs).view_as(tokens).sum(1)


def score_packed(module: nn.Module, packed: Packed, *, finish: Finish | None = None) -> Tensor:
    """Log p(completion | prompt) of each row that is `packed`: [B], nats, float32.

    Args:
        module: as for `score`, and one that packs (see `probe`).
        finish: as for `score`.
    """
    inputs = packed_inputs(packed, next(module.parameters()).device)
    tokens = inputs["input_ids"][0]
    scored = on_device(packed.scored, tokens.device)
    before = on_device(packed.before, tokens.device)
    log_probs = _log_probs(module, inputs, before, tokens[scored], finish)  # (S,)
    nothing, width = len(packed.scored), max(map(len, packed.slots))
    slots = [slots + [nothing] * (width - len(slots)) for slots in packed.slots]
    each = torch.cat([log_probs, log_probs.new_zeros(1)])
    return each[on_device(slots, tokens.device)].sum(1)


def _log_probs(
    module: nn.Module,
    inputs: Mapping[str, Any],
    before: Tensor,
    targets: Tensor,
    finish: Finish | None,
) -> Tensor:
    """Log p of each of `targets` [N] after what stands at `before` [N] of [B * T]: [N]."""
    if finish is None:
        with head_only_at(module, before):
            return token_log_probs(module(**inputs).logits[0], targets)
    with hidden_states_at(module, before) as seen:
        module(**inputs)
    return head_log_probs(module.get_output_embeddings(), finish, seen[0], targets)  # type: ignore[operator]
