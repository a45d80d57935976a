"""`kind: causal_lm`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..decoding import Decoding, MaxNewTokens, Stop, Temperature, TopP
from .base import Checkpoint, Gives
from .model_sampler import ModelSampler
from .transformer import Transformer


class CausalLM(Transformer):
    """A causal language model, loaded by transformers."""

    noun: ClassVar[str] = "a causal_lm model"
    gives: ClassVar[tuple[Gives, ...]] = ("text", "choice")
    decodes: ClassVar[bool] = True
    for_training: ClassVar[tuple[str, ...]] = (*Checkpoint.for_training, "sampler")

    kind: Annotated[Literal["causal_lm"], Field(examples=["causal_lm"])] = "causal_lm"
    """A causal language model."""
    max_new_tokens: Annotated[MaxNewTokens, Field(examples=[256])] = 256
    """Longest completion that is sampled, in tokens."""
    temperature: Annotated[Temperature, Field(examples=[0.7])] = 1.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[TopP, Field(examples=[0.95])] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""
    stop: Annotated[Stop | None, Field(examples=[["\n", "Observation:"]])] = None
    """Strings that end a completion: sampling stops at the first token with which the text contains
    one, and the value is the text before it. What is scored are the tokens that were drawn, without
    an end of sequence behind them. A text from a file, which has no tokens, is scored as any other:
    with its end of sequence."""
    sampler: Annotated[ModelSampler | None, Field(examples=[{"server": "gpu"}])] = None
    """Who draws its texts; absent: the process that trains it. Not with `train: full`."""

    @property
    def server(self) -> str | None:
        """That of `sampler`."""
        return self.sampler.server if self.sampler is not None else None

    @property
    def decoding(self) -> Decoding:
        """Its settings."""
        return Decoding.of(self)
