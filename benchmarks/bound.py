"""The FLOPs that a training step cannot do without.

Each token of the rows' prefix trie once, where it predicts something that is scored or stands
before what does: forward, and backward to activations. The base's weights get no gradient, the
adapters' do; what the first layer reads needs none. Attention over what a token sees, itself
included. The head at scored positions alone, once where two rows share one. Nothing is computed a
second time: fused attention and a chunked head do so in their backward pass, to save memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from sysgraph.engines.causal_lm.tokens import Encoded


@dataclass(frozen=True)
class Trie:
    """What rows have in common, counted.

    Attributes:
        tokens: that must be read.
        seen: tokens that these attend to, added up.
        scored: positions that predict a scored token.
    """

    tokens: int
    seen: int
    scored: int


@dataclass(frozen=True)
class Bound:
    """FLOPs by what takes them."""

    layers: int
    adapters: int
    attention: int
    head: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.layers + self.adapters + self.attention + self.head


def trie(rows: Sequence[Encoded]) -> Trie:
    """The prefix trie of prompts and completions that run under the same weights."""
    read: set[tuple[int, ...]] = set()
    scored: set[tuple[int, ...]] = set()
    for row in rows:
        ids = row.ids
        read.update(ids[:end] for end in range(1, len(ids)))
        scored.update(ids[:end] for end in range(len(row.prompt), len(ids)))
    return Trie(len(read), sum(map(len, read)), len(scored))


def bound(model: Path, rank: int, of: Trie) -> Bound:
    """Of a step over `of`, with LoRA of `rank` on all linear layers but the head.

    Args:
        model: folder of a Llama-like model, whose layers read the one before.
    """
    config = AutoConfig.from_pretrained(model)
    with torch.device("meta"):
        module = AutoModelForCausalLM.from_config(config)
    head = module.get_output_embeddings()
    layers = adapters = 0
    for name, layer in module.named_modules():
        if not isinstance(layer, nn.Linear) or layer is head:
            continue
        reads_embeddings = ".layers.0.self_attn." in name and not name.endswith("o_proj")
        passes = 1 if reads_embeddings else 2  # forward, and backward to what it reads
        layers += passes * 2 * layer.weight.numel() * of.tokens
        down, up = (2 * rank * n * of.tokens for n in (layer.in_features, layer.out_features))
        adapters += (passes + 1) * down + 3 * up
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    attention = 3 * 4 * width * of.seen * config.num_hidden_layers
    return Bound(layers, adapters, attention, 2 * 2 * head.weight.numel() * of.scored)
