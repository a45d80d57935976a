"""The ids that a model knows, which may be more than its tokenizer has, or fewer."""

from collections.abc import Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ...support.errors import InputError


def vocabulary(module: PreTrainedModel) -> int:
    """How many ids a model can read, and write if it writes any.

    Raises:
        InputError: it writes ids that it cannot read.
    """
    weight = getattr(module.get_input_embeddings(), "weight", None)
    read = module.config.get_text_config().vocab_size if weight is None else weight.shape[0]
    written = getattr(module.get_output_embeddings(), "out_features", read)
    if written > read:
        raise InputError(f"it writes {written} tokens and reads {read}: its weights do not fit")
    return int(written)


def require_known(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], vocabulary: int, what: str
) -> None:
    """Raises InputError if one of the `ids` of `what` is beyond a model's vocabulary."""
    odd = next((i for i in ids if i >= vocabulary), None)
    if odd is not None:
        raise InputError(
            f"token {odd} ({tokenizer.convert_ids_to_tokens(odd)!r}) of the {what} is unknown to "
            f"the model, whose embeddings have ids up to {vocabulary - 1}: they were not resized "
            "when the tokenizer got it"
        )
