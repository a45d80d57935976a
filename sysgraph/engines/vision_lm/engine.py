"""The engine of `vision_lm` models."""

from collections.abc import Mapping

import torch

from sysgraph_schemas import VisionLM

from ..causal_lm.engine import WriterEngine
from ..causal_lm.tokens import Encoded
from .resident import VisionLMResident


class VisionLMEngine(WriterEngine[VisionLM, VisionLMResident]):
    """All `vision_lm` models of a system: as causal LMs, given the images in their prompts."""

    def __init__(self, models: Mapping[str, VisionLM], *, device: torch.device, seed: int) -> None:
        super().__init__(models, VisionLMResident, device=device, seed=seed)

    def _probe_row(self, model: str) -> Encoded:
        """A row with an image: its pixels take memory beside its tokens."""
        prompt = self._weights[model].resident.example
        return Encoded(prompt, super()._probe_row(model).completion)
