"""Text-to-image diffusion models on diffusers and peft."""

from ...support.quiet_diffusers import quiet  # first: it says what to install

with quiet():  # importing pipelines makes transformers tell of image processors nobody uses
    from .engine import DiffusionEngine

__all__ = ["DiffusionEngine"]
