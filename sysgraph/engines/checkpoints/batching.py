"""Rows of token ids side by side: which of them together, and how they are filled up."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

Ids = tuple[int, ...]
"""A row of token ids."""
TOKENS_PER_PASS = 16_384
"""Padded tokens per forward pass: large enough to fill a device, small enough for its memory."""


def batches(sizes: Sequence[int], budget: int, *, most: int | None = None) -> Iterator[list[int]]:
    """Indices of rows by batch: similar sizes, the largest first.

    Args:
        sizes: of the rows, in tokens.
        budget: tokens of a batch, padding included; a row alone may have more.
        most: rows of a batch.
    """
    batch: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        if batch and ((len(batch) + 1) * sizes[batch[0]] > budget or len(batch) == most):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(
    rows: Sequence[Ids], pad: int, device: torch.device, *, left: bool = False
) -> tuple[Tensor, Tensor]:
    """Token ids filled up with `pad`, and the mask of what is no padding: two [B, T], int64.

    Args:
        left: pad there, so that every row's next token is in one column; else on the right, where
            positions stay what they are alone.
    """
    width = max(map(len, rows))
    filling = [(pad,) * (width - len(row)) for row in rows]
    filled = [f + row if left else row + f for f, row in zip(filling, rows, strict=True)]
    lengths = torch.tensor([len(row) for row in rows], device=device)[:, None]
    columns = torch.arange(width, device=device)
    mask = columns >= width - lengths if left else columns < lengths
    return torch.tensor(filled, device=device), mask.long()
