"""Text-to-image diffusion models on diffusers and peft."""

from ...support.errors import InputError

try:
    from ...support.quiet_diffusers import quiet

    with quiet():  # importing pipelines makes transformers tell of image processors nobody uses
        from .engine import DiffusionEngine
except ModuleNotFoundError as error:
    if error.name not in ("diffusers", "PIL"):
        raise
    raise InputError(
        "diffusion models need diffusers and Pillow: pip install 'sysgraph[diffusion]'"
    ) from None

__all__ = ["DiffusionEngine"]
