"""Log-probabilities of completions under a causal LM."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..checkpoints.batching import padded
from .head import Finish, head_log_probs, head_only_at, hidden_states_at, token_log_probs
from .tokens import Encoded


def score(module: nn.Module, rows: Sequence[Encoded], *, finish: Finish | None = None) -> Tensor:
    """Log p(completion | prompt) of each row in one forward pass: [B], nats, float32.

    Args:
        module: a causal LM of transformers, with or without a peft adapter.
        rows: at least one; every prompt has a token, since the first one is predicted by nothing.
        finish: see `finish_of`; None: all scored positions' logits exist at once.
    """
    ids = [row.prompt + row.completion for row in rows]
    tokens, mask = padded(ids, next(module.parameters()).device)  # (B, T)
    width = tokens.shape[1]
    # Flat indices (N,) into (B, T) of what is scored, known without asking the device.
    flat = torch.tensor(
        [b * width + t for b, row in enumerate(rows) for t in range(len(row.prompt), len(ids[b]))],
        dtype=torch.long,
        device=tokens.device,
    )
    targets = tokens.flatten()[flat]
    inputs = {"input_ids": tokens, "attention_mask": mask, "use_cache": False}
    if finish is None:
        with head_only_at(module, flat - 1):
            log_probs = token_log_probs(module(**inputs).logits[0], targets)
    else:
        with hidden_states_at(module, flat - 1) as seen:
            module(**inputs)
        head = module.get_output_embeddings()  # type: ignore[operator]
        log_probs = head_log_probs(head, finish, seen[0], targets)
    return log_probs.new_zeros(tokens.numel()).index_copy(0, flat, log_probs).view_as(tokens).sum(1)
