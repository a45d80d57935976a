"""Vision-language models on transformers and peft."""

from .engine import VisionLMEngine

__all__ = ["VisionLMEngine"]
