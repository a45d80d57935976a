"""`kind: causal_lm`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Checkpoint
from .model_sampler import ModelSampler
from .writer import Writer


class CausalLM(Writer):
    """A causal language model, loaded by transformers."""

    noun: ClassVar[str] = "a causal_lm model"
    for_training: ClassVar[tuple[str, ...]] = (*Checkpoint.for_training, "sampler")

    kind: Annotated[Literal["causal_lm"], Field(examples=["causal_lm"])] = "causal_lm"
    """A causal language model."""
    sampler: Annotated[ModelSampler | None, Field(examples=[{"server": "gpu"}])] = None
    """Who draws its texts; absent: the process that trains it. Not with `train: full`."""

    @property
    def server(self) -> str | None:
        """That of `sampler`."""
        return self.sampler.server if self.sampler is not None else None
