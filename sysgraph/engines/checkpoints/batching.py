"""Rows of token ids side by side: which of them together, and how they are filled up."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ...support.device import on_device

Ids = tuple[int, ...]
"""A row of token ids."""
TOKENS_PER_PASS = 16_384
"""Padded tokens per forward pass: large enough to fill a device, small enough for its memory."""


def batches(
    sizes: Sequence[int], budget: int, *, most: int | None = None, is_padded: bool = True
) -> Iterator[list[int]]:
    """Indices of rows by batch: similar sizes, the largest first.

    Args:
        sizes: of the rows, in tokens.
        budget: tokens of a batch, padding included; a row alone may have more.
        most: rows of a batch.
        is_padded: whether rows of one batch may differ in size.
    """
    batch: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        is_full = batch and ((len(batch) + 1) * sizes[batch[0]] > budget or len(batch) == most)
        if is_full or (batch and not is_padded and sizes[index] != sizes[batch[0]]):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(
    rows: Sequence[Ids], device: torch.device, *, left: bool = False, pad: int = 0
) -> tuple[Tensor, Tensor]:
    """Token ids filled up, and the mask of what is no padding: two [B, T], int64.

    Args:
        pad: what fills, for models that look for it; to others it is an id like any, which every
            model knows: a tokenizer's own may be beyond the model's embeddings.
        left: pad there, so that every row's next token is in one column; else on the right, where
            positions stay what they are alone.
    """
    width = max(map(len, rows))
    filling = [(pad,) * (width - len(row)) for row in rows]
    filled = [f + row if left else row + f for f, row in zip(filling, rows, strict=True)]
    lengths = on_device([len(row) for row in rows], device)[:, None]
    columns = torch.arange(width, device=device)
    mask = columns >= width - lengths if left else columns < lengths
    return on_device(filled, device), mask.long()


def common_prefix(a: Ids, b: Ids) -> int:
    """How many ids two rows begin with alike."""
    counts = range(1, min(len(a), len(b)) + 1)
    return bisect_left(counts, True, key=lambda count: a[:count] != b[:count])
