"""What the UNet sees of a caption."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...support.quiet_diffusers import quiet
from .cache import TensorCache

_CACHED_BYTES = 2**30


class Condition(NamedTuple):
    """Embedded captions, each [B, ...]."""

    embeds: Tensor  # (B, L, D)
    pooled: Tensor | None  # (B, P), of pipelines with a second text encoder

    def added(self, height: int, width: int) -> dict[str, Tensor] | None:
        """What else Stable Diffusion XL's UNet takes: the pooled text and the image's size.

        An image's original size is its own, and nothing of it is cropped.
        """
        if self.pooled is None:
            return None
        ids = self.pooled.new_tensor([height, width, 0, 0, height, width])
        return {"text_embeds": self.pooled, "time_ids": ids.expand(len(self.pooled), -1)}


class TextEncoder:
    """The text encoders of a pipeline; each caption is embedded once, as long as it is kept."""

    def __init__(self, pipeline: Any, device: torch.device) -> None:
        self._pipeline, self._device = pipeline, device
        self._cache: TensorCache[str] = TensorCache(_CACHED_BYTES)
        self._empty: Condition | None = None

    def encode(self, captions: Sequence[str]) -> Condition:
        """The embeddings of captions, on the pipeline's device."""
        rows = self._cache.get(captions, self._embed)
        return self._stacked(rows)

    def unguided(self, count: int) -> Condition:
        """`count` times what stands for no caption in classifier-free guidance."""
        if self._empty is None:
            with torch.no_grad():
                found = self._encoded("", guided=True)
            self._empty = Condition(found[1], found[3] if len(found) == 4 else None)
        pooled = self._empty.pooled
        return Condition(
            self._empty.embeds.expand(count, -1, -1),
            None if pooled is None else pooled.expand(count, -1),
        )

    def lost(self, caption: str) -> tuple[int, int, str] | None:
        """A caption's tokens, how many are read, and the text that is not; None if all is read."""
        tokenizer = self._pipeline.tokenizer
        limit = tokenizer.model_max_length
        with quiet():
            ids = tokenizer(caption).input_ids
        if len(ids) <= limit:
            return None
        return len(ids), limit, str(tokenizer.decode(ids[limit - 1 : -1])).strip()

    @torch.no_grad()
    def _embed(self, captions: list[str]) -> list[tuple[Tensor, ...]]:
        """One caption at a time: in a batch its last bits would depend on what is beside it.

        A run that is resumed, or that reads its reference from disk, meets captions in another
        order.
        """
        out: list[tuple[Tensor, ...]] = []
        for caption in captions:
            found = self._encoded([caption], guided=False)
            # (embeds, negative), or with a second encoder (embeds, negative, pooled, negative)
            kept = [found[0]] if len(found) == 2 else [found[0], found[2]]
            out += zip(*kept, strict=True)
        return out

    def _encoded(self, prompt: str | list[str], *, guided: bool) -> tuple[Any, ...]:
        """As `encode_prompt` gives it, each with what stands for no caption behind it."""
        settings = {"device": self._device, "num_images_per_prompt": 1}
        settings["do_classifier_free_guidance"] = guided
        with quiet():
            if hasattr(self._pipeline, "encode_prompt"):
                return tuple(self._pipeline.encode_prompt(prompt=prompt, **settings))
            # InstructPix2Pix: the caption, under guidance twice none behind it.
            found = self._pipeline._encode_prompt(prompt, **settings)
        return (found[:1], found[1:2] if guided else None)

    def _stacked(self, rows: Sequence[tuple[Tensor, ...]]) -> Condition:
        parts = [torch.stack(part).to(self._device) for part in zip(*rows, strict=True)]
        return Condition(parts[0], parts[1] if len(parts) > 1 else None)
