"""Log-probabilities of completions under a causal LM."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints.batching import TOKENS_PER_PASS, batches, padded
from .tokens import Encoded


def token_log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    """Log p of each target: [N], nats, float32.

    Args:
        logits: [N, V], any float type.
        targets: [N] token ids.
    """
    logits = logits.float()
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)


def score(module: nn.Module, rows: Sequence[Encoded]) -> Tensor:
    """Log p(completion | prompt) of each row in one forward pass: [B], nats, float32.

    Args:
        module: a causal LM of transformers, with or without a peft adapter.
        rows: at least one; every prompt has a token, since the first one is predicted by nothing.
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
    with head_only_at(module, flat - 1):
        logits = module(input_ids=tokens, attention_mask=mask, use_cache=False).logits  # (1, N, V)
    log_probs = token_log_probs(logits[0], tokens.flatten()[flat])
    return log_probs.new_zeros(tokens.numel()).index_copy(0, flat, log_probs).view_as(tokens).sum(1)


@contextlib.contextmanager
def head_only_at(module: nn.Module, flat: Tensor) -> Iterator[None]:
    """Lets the output layer see only the positions `flat` [N] of [B * T], as one row: [1, N, H].

    With vocabularies of 100,000s the output layer can cost more than all the others, and nearly all
    its memory; `logits_to_keep` saves only what is left of the shortest prompt, on models that
    have it.
    """

    def select(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return (args[0].flatten(0, 1)[flat][None], *args[1:])

    handle = module.get_output_embeddings().register_forward_pre_hook(select)  # type: ignore[operator]
    try:
        yield
    finally:
        handle.remove()


def passes(rows: Sequence[Encoded], *, is_padded: bool) -> Iterator[list[int]]:
    """Indices of `rows` by forward pass: of any lengths side by side, or of one."""
    sizes = [len(row.prompt) + len(row.completion) for row in rows]
    return batches(sizes, TOKENS_PER_PASS, is_padded=is_padded)
