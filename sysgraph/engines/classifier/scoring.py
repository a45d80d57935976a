"""Log-probabilities of labels under a sequence classifier."""

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from ..checkpoints.batching import TOKENS_PER_PASS, Ids, batches, padded


def label_log_probs(module: nn.Module, rows: Sequence[Ids], *, pad: int | None) -> Tensor:
    """Log p(label | text) of each row in one forward pass: [B, L], nats, float32.

    Args:
        module: a sequence classifier of transformers, with or without a peft adapter.
        rows: token ids, at least one row.
        pad: the id that fills shorter rows; not needed for one row.
    """
    tokens, mask = padded(rows, next(module.parameters()).device, pad=pad or 0)
    logits: Tensor = module(input_ids=tokens, attention_mask=mask).logits
    return logits.float().log_softmax(-1)


def passes(rows: Sequence[Ids], *, pad: int | None) -> Iterator[list[int]]:
    """Indices of `rows` by forward pass.

    Without `pad`, one row each.
    """
    return batches([len(row) for row in rows], TOKENS_PER_PASS, most=1 if pad is None else None)
