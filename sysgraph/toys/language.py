"""What the toy language models share: a tokenizer of one token per word, and a tiny Llama."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

PAD, EOS, UNK = "<pad>", "<eos>", "<unk>"


def build_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """A word-level tokenizer whose prompt/completion boundary cannot move.

    It relies on no word beginning another: the pre-tokenizer cuts text into words of the world, not
    only at spaces. So "... | red cube big" + "blue ball tiny", joined without a space, has the ids
    of the one followed by the ids of the other. A character outside every word is an `<unk>`.
    """
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Sequence as InTurn
    from tokenizers.pre_tokenizers import Split, WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    ids = {word: i for i, word in enumerate((PAD, EOS, UNK, *words))}
    tokenizer = Tokenizer(WordLevel(ids, unk_token=UNK))
    pattern = Regex("|".join([*map(re.escape, words), r"\S"]))
    tokenizer.pre_tokenizer = InTurn([WhitespaceSplit(), Split(pattern, "isolated")])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        clean_up_tokenization_spaces=False,
    )


def tiny_llama(
    tokenizer: PreTrainedTokenizerFast,
    *,
    hidden_size: int,
    layers: int,
    heads: int,
    context: int,
    init_std: float,
) -> LlamaForCausalLM:
    """An untrained Llama in float32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=context,
        initializer_range=init_std,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model: LlamaForCausalLM = LlamaForCausalLM(config).float()
    return model


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a checkpoint that `from_pretrained` loads, and that stops at the end of sequence."""
    from transformers import GenerationConfig
    from transformers.utils import logging

    from ..support.quiet import without_bars

    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    with without_bars(logging):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
