"""`kind: causal_lm`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Checkpoint


class CausalLM(Checkpoint):
    """A causal language model, loaded by transformers."""

    noun: ClassVar[str] = "a causal_lm model"

    kind: Annotated[Literal["causal_lm"], Field(examples=["causal_lm"])] = "causal_lm"
    """A causal language model."""
    max_new_tokens: Annotated[int, Field(ge=1, le=1_000_000, examples=[256])] = 256
    """Longest completion that is sampled, in tokens."""
    temperature: Annotated[float, Field(ge=0, examples=[0.7])] = 1.0
    """Sampling temperature; 0 takes the likeliest token."""
    top_p: Annotated[float, Field(gt=0, le=1, examples=[0.95])] = 1.0
    """Nucleus sampling: the smallest set of tokens with this much probability."""
