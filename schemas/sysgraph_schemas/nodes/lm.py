"""`kind: lm`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..decoding import Decoding, MaxNewTokens, Stop, Temperature, TopP
from .base import Computed
from .prompted import Prompted


class LMNode(Computed, Prompted):
    """A text that a language model writes, given its prompt."""

    noun: ClassVar[str] = "an lm node"

    kind: Annotated[Literal["lm"], Field(examples=["lm"])] = "lm"
    """A text that a language model writes."""
    max_new_tokens: Annotated[MaxNewTokens | None, Field(examples=[64])] = None
    """Longest text that is sampled here, in tokens; the model's when absent."""
    temperature: Annotated[Temperature | None, Field(examples=[0.7])] = None
    """Sampling temperature here, 0 takes the likeliest token; the model's when absent."""
    top_p: Annotated[TopP | None, Field(examples=[0.95])] = None
    """Nucleus sampling here; the model's when absent."""
    stop: Annotated[Stop | None, Field(examples=[["\n", "Observation:"]])] = None
    """Strings that end a text here, as `stop` of a model says; the model's when absent, none with
    an empty list."""

    @property
    def decoding(self) -> Decoding:
        """Its own settings, over the model's."""
        return Decoding.of(self)
