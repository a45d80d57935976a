"""Log-probabilities of completions under a causal LM."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from .tokens import Encoded

# Padded tokens per forward pass: large enough to fill a device, small enough for its memory.
TOKENS_PER_PASS = 16_384


def completion_log_probs(logits: Tensor, targets: Tensor, scored: Tensor) -> Tensor:
    """Log p of each row's scored targets, summed: [B], nats, float32.

    Args:
        logits: [B, T, V], any float type; position t predicts targets[:, t].
        targets: [B, T] token ids.
        scored: [B, T] bool, the positions that count.
    """
    chosen = logits[scored].float()  # (N, V): only completion positions ever reach float32
    log_probs = chosen.gather(1, targets[scored, None])[:, 0] - chosen.logsumexp(-1)
    return log_probs.new_zeros(scored.shape).masked_scatter(scored, log_probs).sum(-1)


def score(module: nn.Module, rows: Sequence[Encoded], *, pad: int, slim: bool) -> Tensor:
    """Log p(completion | prompt) of each row in one forward pass: [B], nats, float32.

    `slim`: the module's forward takes `logits_to_keep`, so prompt positions get no logits.
    """
    device = next(module.parameters()).device
    ids = [row.prompt + row.completion for row in rows]
    width = max(map(len, ids))
    first = min(len(row.prompt) for row in rows) - 1  # the first position that predicts a scored id
    tokens = torch.tensor([i + (pad,) * (width - len(i)) for i in ids], device=device)  # (B, T)
    length = torch.tensor([len(i) for i in ids], device=device)[:, None]
    prompt = torch.tensor([len(row.prompt) for row in rows], device=device)[:, None]
    position = torch.arange(width, device=device)
    keep = {"logits_to_keep": width - first} if slim else {}
    logits = module(
        input_ids=tokens, attention_mask=(position < length).long(), use_cache=False, **keep
    ).logits
    logits = logits[:, -(width - first) : -1]  # (B, T - first - 1, V)
    position = position[first + 1 :]
    return completion_log_probs(
        logits, tokens[:, first + 1 :], (position >= prompt) & (position < length)
    )


def passes(rows: Sequence[Encoded]) -> Iterator[list[int]]:
    """Indices of `rows` in forward passes of similar length, at most TOKENS_PER_PASS padded tokens."""
    size = [len(row.prompt) + len(row.completion) for row in rows]
    batch: list[int] = []
    for index in sorted(range(len(rows)), key=lambda i: (-size[i], i)):
        if batch and (len(batch) + 1) * size[batch[0]] > TOKENS_PER_PASS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
