"""`kind: causal_lm`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Checkpoint, Gives


class CausalLM(Checkpoint):
    """A causal language model, loaded by transformers."""

    noun: ClassVar[str] = "a causal_lm model"
    gives: ClassVar[tuple[Gives, ...]] = ("text", "choice")

    kind: Annotated[Literal["causal_lm"], Field(examples=["causal_lm"])] = "causal_lm"
    """A causal language model."""
    max_new_tokens: Annotated[int, Field(ge=1, le=1_000_000, examples=[256])] = 256
    """Longest completion that is sampled, in tokens."""
    temperature: Annotated[float, Field(ge=0, examples=[0.7])] = 1.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[float, Field(gt=0, le=1, examples=[0.95])] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""

    @property
    def warp(self) -> Mapping[str, float]:
        """The settings of its draws that are not 1."""
        settings = {"temperature": self.temperature, "top_p": self.top_p}
        return {name: value for name, value in settings.items() if value != 1}

    @property
    def choice_temperature(self) -> float:
        """`temperature`."""
        return self.temperature

    @property
    def is_greedy(self) -> bool:
        """At temperature 0."""
        return self.temperature == 0
