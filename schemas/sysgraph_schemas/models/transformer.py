"""What models of transformers have, and pipelines of diffusers have not."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Base, Checkpoint

Attention = Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention"]


class Transformer(Checkpoint):
    """A model that transformers loads."""

    for_base: ClassVar[tuple[str, ...]] = (*Checkpoint.for_base, "load_in")

    attn_implementation: Annotated[Attention | None, Field(examples=["flash_attention_2"])] = None
    """What computes attention, by transformers' name; absent: what it takes by itself, mostly
    `sdpa`. Flash attention needs its package and a GPU, and a `dtype` of half precision. Models of
    one checkpoint share a base only where this is the same."""
    load_in: Annotated[Literal["4bit"] | None, Field(examples=["4bit"])] = None
    """`4bit` rounds the weights of linear layers to 4 bits as they are loaded (NF4, as in QLoRA:
    arXiv 2305.14314) and computes with them in `dtype`: about a quarter of the memory of bfloat16,
    for more time and some loss. Output layers and embeddings stay as they are. Not with `train:
    full`. Needs bitsandbytes: `pip install 'sysgraph[quantized]'`."""

    @property
    def base(self) -> Base:
        """Its checkpoint."""
        return replace(
            super().base, attn_implementation=self.attn_implementation, load_in=self.load_in
        )
