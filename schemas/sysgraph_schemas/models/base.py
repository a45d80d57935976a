"""What every kind of model answers."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..spec import NotBlank, Spec
from .lora import LoRA

Likelihood = Literal["exact", "bound"]


class Model(Spec):
    """What the compiler asks of every kind of model."""

    likelihood: ClassVar[Likelihood] = "exact"
    """Whether its term is log p, or a bound that can not stand inside Sampling's sum."""

    kind: str
    """What it is."""

    @property
    def is_noisy(self) -> bool:
        """Whether its term has noise that is drawn anew at every step of training."""
        return False

    @property
    def outcomes(self) -> tuple[str, ...] | None:
        """Every text that it can give; None: any."""
        return None


class Checkpoint(Model):
    """A model that is loaded from a checkpoint, and trained as an adapter on it or as a copy."""

    id: Annotated[NotBlank, Field(examples=["Qwen/Qwen2.5-0.5B-Instruct", "./my-model"])]
    """A Hub id, a local folder (relative to the working directory), or `toy:NAME`. Weights are read
    from safetensors files, and no code that a checkpoint brings along is run."""
    revision: Annotated[str | None, Field(examples=["main"])] = None
    """Branch, tag or commit of a Hub id."""
    train: Annotated[Literal["lora", "full", "frozen"], Field(examples=["lora"])] = "lora"
    """`lora` trains an adapter, `full` every weight, `frozen` nothing. What is trained is kept and
    saved in float32, whatever `dtype` it runs in."""
    lora: Annotated[LoRA, Field(examples=[{"r": 16, "alpha": 32}])] = LoRA()
    """The adapter's settings, for `train: lora`."""
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"], Field(examples=["bfloat16"])
    ] = "auto"
    """Type that the weights are held and run in; `auto` is the checkpoint's own. Updates smaller
    than its rounding are not lost: what `train` trains is float32 beside it."""
    gradient_checkpointing: Annotated[bool, Field(examples=[True])] = False
    """Compute each layer again in the backward pass instead of keeping its numbers: less memory for
    about a third more time."""
    learning_rate: Annotated[float | None, Field(gt=0, examples=[1e-4])] = None
    """This model's learning rate; `fit.learning_rate` when absent."""
