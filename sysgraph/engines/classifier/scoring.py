"""Log-probabilities of labels under a sequence classifier."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..checkpoints.batching import Ids, padded


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
