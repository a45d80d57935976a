"""What probes of models share: rows of tokens, what failing is, and how close is close enough."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ...support.errors import RunError
from .batching import Ids

LENGTH = 10
"""Tokens of a row that is probed."""

# What models of transformers raise for what they cannot do.
FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    NotImplementedError,
    AssertionError,
    ImportError,
    RunError,
)


def few_rows(vocabulary: int) -> tuple[Ids, Ids, Ids]:
    """Three rows of ids from all over a vocabulary but its start, where special tokens are."""
    first, count = vocabulary // 8, 3 * LENGTH
    ids = [first + (vocabulary - first) * (11 * i % count) // count for i in range(count)]
    return tuple(ids[0::3]), tuple(ids[1::3]), tuple(ids[2::3])


def holds(tried: Callable[[], bool]) -> bool:
    """What `tried` gives; False if a model cannot do it."""
    try:
        return tried()
    except FAILURES:
        return False


def is_close(found: Tensor, wanted: Tensor, differences: Tensor, dtype: torch.dtype) -> bool:
    """Whether two tables of logits differ by no more than the noise of their dtype.

    What counts is the difference against `differences` between logits that should differ: a model
    near its initialization gives nearly the same ones everywhere.
    """
    return apart(found, wanted, differences) <= tolerance(dtype)


def tolerance(dtype: torch.dtype) -> float:
    """How far `apart` tables may be that differ by rounding."""
    return float(torch.finfo(dtype).eps ** 0.5)


def apart(found: Tensor, wanted: Tensor, differences: Tensor) -> float:
    """How far two tables of logits differ, as a part of `differences`; see `is_close`."""
    between = (found - wanted).where(found != wanted, 0.0)  # both may be -inf
    scale = _rms(differences.nan_to_num(0.0, posinf=0.0, neginf=0.0))
    size = float(_rms(between))
    return size / float(scale) if scale > 0 else math.inf if size else 0.0


def _rms(values: Tensor) -> Tensor:
    return values.double().square().mean().sqrt()
