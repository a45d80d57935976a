"""What models of transformers have, and pipelines of diffusers have not."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from .base import Base, Checkpoint

Attention = Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]


class Transformer(Checkpoint):
    """A model that transformers loads."""

    attn_implementation: Annotated[Attention | None, Field(examples=["flash_attention_2"])] = None
    """What computes attention, by transformers' name; absent: what it takes by itself, mostly
    `sdpa`. Flash attention needs its package and a GPU, and a `dtype` of half precision. Models of
    one checkpoint share a base only where this is the same."""

    @property
    def base(self) -> Base:
        """Its checkpoint."""
        return replace(super().base, attn_implementation=self.attn_implementation)
