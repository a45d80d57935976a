"""Tiny models of any architecture that transformers has."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel


def random_model(
    architecture: str,
    *,
    vocabulary: int,
    special: tuple[int, int, int] = (1, 3, 4),
    **settings: Any,
) -> PreTrainedModel:
    """A model of random weights, far from the uniform ones that it would be initialized to.

    Args:
        special: the tokens that pad, begin and end a text.
        settings: of the architecture's own config.
    """
    pad, begin, end = special
    config = AutoConfig.for_model(
        architecture,
        **{
            "vocab_size": vocabulary,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 128,
            "pad_token_id": pad,
            "bos_token_id": begin,
            "eos_token_id": end,
            **settings,
        },
    )
    torch.manual_seed(0)
    module: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.15)
    return module
