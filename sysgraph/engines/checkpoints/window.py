"""The longest text that a model takes, wherever its configuration says so."""

import sys

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

# The names that architectures give it.
_FIELDS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_sequence_length",
    "max_seq_length",
    "seq_length",
    "max_target_positions",
    "context_length",
    "n_ctx",
)


def window(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None = None) -> int | None:
    """Tokens of the longest text that a model was made for; None: any.

    Args:
        module: any model of transformers, with or without a head.
        tokenizer: whose own limit holds as well.
    """
    config = module.config.get_text_config()
    # A file may hold more fields than its architecture has and reads: those come after its own.
    fields = sorted(_FIELDS, key=lambda field: not _has(config, field))
    declared = (getattr(config, field, None) for field in fields)
    counts = [n for n in declared if isinstance(n, int)][:1]
    counts = [n for n in counts if n > 0]  # XLNet says -1: any
    counts += [n for n in map(_usable, module.modules()) if n is not None]
    if tokenizer is not None:
        counts.append(tokenizer.model_max_length)
    least = min(counts, default=sys.maxsize)
    return least if least < sys.maxsize else None


def _has(config: PreTrainedConfig, field: str) -> bool:
    """Whether it is a field of the architecture itself."""
    return hasattr(type(config), field) or field in config.attribute_map


def _usable(module: nn.Module) -> int | None:
    """The positions that tokens take where a module counts them from behind its padding's.

    RoBERTa and its kind have 514 positions, the first two of which no token ever takes.
    """
    table = getattr(module, "position_embeddings", None)
    if not isinstance(table, nn.Embedding) or table.padding_idx is None:
        return None
    return table.num_embeddings - table.padding_idx - 1
