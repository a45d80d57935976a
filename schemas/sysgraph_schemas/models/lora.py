"""Low-rank adapters, as every kind of trained model may have them."""

from typing import Annotated, ClassVar

from pydantic import Field

from ..spec import Spec


class LoRA(Spec):
    """Low-rank adapters (Hu et al. 2021), as `peft.LoraConfig` names them."""

    noun: ClassVar[str] = "`lora`"

    r: Annotated[int, Field(ge=1, le=4096, examples=[16])] = 16
    """Rank of the update."""
    alpha: Annotated[float, Field(gt=0, examples=[32])] = 32
    """Scale: the update is multiplied by alpha / r."""
    target_modules: Annotated[
        str | list[str], Field(examples=["all-linear", ["q_proj", "v_proj"]])
    ] = "all-linear"
    """Which layers get an adapter: `all-linear`, or endings of their names in whole parts, as
    `q_proj` or `self_attn.q_proj`, each of which must match one; a text is one ending, never a
    pattern. Layers that no text reaches, as those of a vision tower, get none."""
