"""Attention over packed rows: each token sees the earlier ones of its own row, and no others.

transformers lets an attention function be registered under a name that a model's config holds. Ours
does as `sdpa` does, until it is told what the rows consist of. It is told so by an argument of the
forward pass, which reaches it through the layers: where gradient checkpointing runs a layer again,
long after the pass, it is told again.
"""

import sys
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ...support.device import on_device
from .packing import Packed, Run

_NAME = "sysgraph_packed"
_REFUSED = ("softcap", "s_aux", "position_bias", "cache")
"""What a model may ask of its attention that is not done here."""


def let_pack(module: PreTrainedModel) -> int:
    """Lets `module` be told what packed rows consist of.

    Returns:
        How long a row may be, in tokens: beyond that, some layer does not see its beginning. 0:
        the model's attention is another, and stays.
    """
    config = module.config
    if config._attn_implementation != "sdpa":
        return 0
    config._attn_implementation = _NAME
    text = config.get_text_config()
    reach = (getattr(text, name, None) for name in ("sliding_window", "attention_chunk_size"))
    return min((tokens for tokens in reach if tokens), default=sys.maxsize)


def forbid_packing(module: PreTrainedModel) -> None:
    """Takes back what `let_pack` did."""
    module.config._attn_implementation = "sdpa"


def packed_inputs(packed: Packed, device: torch.device) -> dict[str, Any]:
    """What a causal LM is run on: one row, [1, N]."""
    return {
        "input_ids": on_device([packed.tokens], device),
        "position_ids": on_device([packed.positions], device),
        # transformers takes a mask of four dimensions as it is, and so makes none of [N, N].
        "attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device),
        "use_cache": False,
        "packed_runs": packed.runs,
    }


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    packed_runs: Sequence[Run] = (),
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """[1, N, heads, D] of `query` [1, heads, N, D] and of as many or fewer heads of the rest."""
    if not packed_runs:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **others
        )
    if any(others.get(name) is not None for name in _REFUSED):
        raise NotImplementedError(f"attention with one of {_REFUSED}")
    heads = query.shape[1] // key.shape[1]
    if heads > 1:
        key, value = (t.repeat_interleave(heads, dim=1) for t in (key, value))
    # Slices of the whole would each have a gradient of its size, of which all but theirs is 0.
    sizes = [run.stop - run.start for run in packed_runs]
    queries, keys, values = (t.split(sizes, dim=2) for t in (query, key, value))
    number = {run.start: i for i, run in enumerate(packed_runs)}
    parts = []
    for i, run in enumerate(packed_runs):
        if not run.earlier:
            parts.append(_causal(queries[i], keys[i], values[i], None, scaling))
            continue
        before = [(number[place.start], place.stop - place.start) for place in run.earlier]
        seen, held = (
            torch.cat([*(t[j][:, :, :count] for j, count in before), t[i]], dim=2)
            for t in (keys, values)
        )
        rows, columns = sizes[i], seen.shape[2]
        mask = torch.ones(rows, columns, dtype=torch.bool, device=seen.device)
        parts.append(_causal(queries[i], seen, held, mask.tril(columns - rows), scaling))
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _causal(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None
) -> Tensor:
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling
    )


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
