"""How much of a caption the text encoders of a pipeline read."""

from collections.abc import Mapping
from inspect import Parameter
from typing import Any

from transformers import CLIPTokenizer, PreTrainedTokenizerBase

from ....support.quiet_diffusers import quiet


def lost(pipeline: Any, call: Mapping[str, Parameter], caption: str) -> tuple[int, int, str] | None:
    """A caption's tokens, how many are read, and the text that is not, by the encoder with most.

    CLIP reads what it has positions for; of other encoders the pipeline's call says the limit.

    Returns:
        None, if one of them reads all.
    """
    most: tuple[int, int, str] | None = None
    for tokenizer in pipeline.components.values():
        if not isinstance(tokenizer, PreTrainedTokenizerBase):
            continue
        limit = tokenizer.model_max_length
        if not isinstance(tokenizer, CLIPTokenizer):
            said = call["max_sequence_length"].default if "max_sequence_length" in call else limit
            limit = min(limit, int(said))
        with quiet():
            ids = tokenizer(caption).input_ids
        if len(ids) <= limit:
            return None
        if most is None or limit > most[1]:
            most = len(ids), limit, str(tokenizer.decode(ids[limit - 1 : -1])).strip()
    return most
