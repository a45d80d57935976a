"""From token ids to the text that they stand for."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from ..checkpoints.turns import finished_turn


def decode(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """The text of sampled ids, without special tokens and the end of a chat's turn."""
    turn = finished_turn(tokenizer)
    ended = turn is not None and len(ids) > 0 and ids[-1] == turn.end
    text = tokenizer.decode(
        list(ids[:-1] if ended else ids),
        skip_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
    return str(text)
