"""The toy models' tokenizer: one token per word of the world."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sysgraph.toys import specialists

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS, UNK = "<pad>", "<eos>", "<unk>"


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer whose prompt/completion boundary cannot move.

    No word of the world begins another, and the pre-tokenizer cuts text into words of the world,
    not only at spaces. So "... | red cube big" + "blue ball tiny", joined without a space, has the
    ids of the one followed by the ids of the other. A character outside every word is an `<unk>`.
    """
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Sequence, Split, WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    words = specialists.vocabulary()
    ids = {word: i for i, word in enumerate((PAD, EOS, UNK, *words))}
    tokenizer = Tokenizer(WordLevel(ids, unk_token=UNK))
    pattern = Regex("|".join([*map(re.escape, words), r"\S"]))
    tokenizer.pre_tokenizer = Sequence([WhitespaceSplit(), Split(pattern, "isolated")])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        clean_up_tokenization_spaces=False,
    )
