"""`lora:` of a diffusion model."""

from typing import Annotated

from pydantic import Field

from .lora import LoRA

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


class DiffusionLoRA(LoRA):
    """Low-rank adapters on the denoiser (Hu et al. 2021), as `peft.LoraConfig` names them."""

    target_modules: Annotated[
        str | list[str], Field(examples=["all-linear", ["to_q", "to_k", "to_v", "to_out.0"]])
    ] = Field(default_factory=lambda: [*ATTENTION])
    """Which layers of the denoiser get an adapter: `all-linear`, or endings of their names in whole
    parts, each of which must match one; a text is one ending, never a pattern. Absent: the
    attention projections, as in diffusers' own training examples."""
