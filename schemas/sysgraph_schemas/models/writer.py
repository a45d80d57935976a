"""What models have that write texts token by token, loaded by transformers."""

from typing import Annotated, ClassVar

from pydantic import Field

from ..decoding import Decoding, MaxNewTokens, Stop, Temperature, TopP
from .base import Gives
from .transformer import Transformer


class Writer(Transformer):
    """A model that writes texts from left to right."""

    gives: ClassVar[tuple[Gives, ...]] = ("text", "choice")
    decodes: ClassVar[bool] = True

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

    @property
    def decoding(self) -> Decoding:
        """Its settings."""
        return Decoding.of(self)
