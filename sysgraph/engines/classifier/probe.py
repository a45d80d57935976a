"""What a sequence classifier allows to be done with rows of tokens, found out on a few of them.

Most look at the whole text, or at its last token. Some (BART, T5) look at its end token, and fail
on rows that have none, or not equally many.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ...support.errors import InputError
from ..checkpoints import shapes
from ..checkpoints.batching import Ids, padded
from ..checkpoints.probing import FAILURES, few_rows, holds, is_close


@dataclass(frozen=True)
class ClassifierHabits:
    """How a classifier's rows are run.

    Attributes:
        pad: the id that fills shorter rows of a pass; None: each row is run alone.
        end: the id without which it cannot read a row, or None.
    """

    pad: int | None
    end: int | None


@torch.no_grad()
def probe(module: PreTrainedModel, vocabulary: int) -> ClassifierHabits:
    """The habits of a sequence classifier; a handful of forward passes of a few tokens.

    Args:
        vocabulary: number of ids that the model can read.

    Raises:
        InputError: it cannot be run on tokens alone, or gives logits that are not finite.
    """
    name = type(module).__name__
    config = module.config.get_text_config()
    end, pad = _id(getattr(config, "eos_token_id", None)), getattr(config, "pad_token_id", None)
    if shapes.are_all():
        return ClassifierHabits(pad, None)
    first, second, third = few_rows(vocabulary)
    rows = [first, second[:4], third[:7]]
    needed = None
    if not holds(lambda: _finite(_alone(module, rows[:1]))) and end is not None:
        needed = end
        # Not equally many of them, as texts may have that quote them.
        rows = [(*rows[0], end), (*rows[1][:2], end, *rows[1][2:], end), (*rows[2], end)]
    try:
        alone = _alone(module, rows)
    except FAILURES as error:
        raise InputError(f"{name} cannot be run on a few tokens: {error!r:.300}") from error
    if not _finite(alone):
        raise InputError(
            f"{name} gives logits that are NaN or infinite on a few tokens: its weights are "
            "damaged, or its dtype is too narrow for it"
        )
    # Decoders find a text's last token by this id: without it, they take one text at a time.
    side_by_side = pad is not None and holds(
        lambda: is_close(_together(module, rows, pad), alone, alone[1:] - alone[:-1], module.dtype)
    )
    return ClassifierHabits(pad if side_by_side else None, needed)


def _alone(module: PreTrainedModel, rows: Sequence[Ids]) -> Tensor:
    return torch.cat([_together(module, [row], 0) for row in rows])


def _together(module: PreTrainedModel, rows: Sequence[Ids], pad: int) -> Tensor:
    """[len(rows), L], float32."""
    tokens, mask = padded(rows, next(module.parameters()).device, pad=pad)
    logits: Tensor = module(input_ids=tokens, attention_mask=mask).logits.float()
    return logits


def _finite(logits: Tensor) -> bool:
    return bool(logits.isfinite().all())


def _id(declared: int | Sequence[int] | None) -> int | None:
    """The one of a configuration's end tokens that a classifier would look for."""
    return declared if isinstance(declared, int) else None
