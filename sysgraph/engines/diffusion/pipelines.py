"""Loading a pipeline: which ones, without what, and in which types."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import (
    DiffusionPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors import safe_open
from torch import nn

from sysgraph_schemas import Diffusion

from ...errors import InputError
from ..checkpoints.resident import explained, source
from .quiet import quiet

# Never loaded: they look at images after the fact, and are no part of the likelihood.
_LEFT_OUT = {
    "StableDiffusionPipeline": {
        "safety_checker": None,
        "requires_safety_checker": False,
        "feature_extractor": None,
        "image_encoder": None,
    },
    "StableDiffusionXLPipeline": {
        "feature_extractor": None,
        "image_encoder": None,
        "add_watermarker": False,
    },
}
_CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (StableDiffusionPipeline, StableDiffusionXLPipeline)
}
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Checkpoint(NamedTuple):
    """A pipeline on the disk."""

    id: str
    folder: str
    kind: type[Any]
    dtype: torch.dtype


def find(spec: Diffusion) -> Checkpoint:
    """The pipeline that `spec` names, fetched if it is on the Hub.

    Raises:
        InputError: it is no pipeline of a supported class, or cannot be found.
    """
    folder = source(spec)
    revision = {"revision": spec.revision} if spec.revision else {}
    with explained(spec.id), quiet():
        config = DiffusionPipeline.load_config(folder, **revision)
    kind = _supported(spec.id, config)
    with explained(spec.id), quiet():
        if not Path(folder).is_dir():
            folder = kind.download(
                folder, use_safetensors=True, **revision, **_LEFT_OUT[kind.__name__]
            )
        stored = _stored_dtype(Path(folder) / "unet")
    dtype = stored if spec.dtype == "auto" else getattr(torch, spec.dtype)
    return Checkpoint(spec.id, folder, kind, dtype)


def load_pipeline(found: Checkpoint, device: torch.device) -> Any:
    """The pipeline on `device`, frozen, in evaluation mode.

    The VAE is float32 whatever the others are: at half precision it gives NaN (Stable Diffusion
    XL's) or coarse latents, and it is out of every training step.

    Raises:
        InputError: it cannot be loaded.
    """
    with explained(found.id), quiet():
        pipeline: Any = found.kind.from_pretrained(
            found.folder, use_safetensors=True, dtype=found.dtype, **_LEFT_OUT[found.kind.__name__]
        )
        pipeline.vae.to(torch.float32)
        pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    for module in pipeline.components.values():
        if isinstance(module, torch.nn.Module):
            module.requires_grad_(False).eval()
    return pipeline


def load_unet(found: Checkpoint, device: torch.device) -> nn.Module:
    """Another copy of the pipeline's UNet on `device`.

    Raises:
        InputError: it cannot be loaded.
    """
    with explained(found.id), quiet():
        unet: nn.Module = UNet2DConditionModel.from_pretrained(
            found.folder, subfolder="unet", use_safetensors=True, dtype=found.dtype
        )
    return unet.to(device).eval()


def bare(pipeline: Any, **components: Any) -> Any:
    """A second pipeline on the same modules, but for `components`."""
    left_out = _LEFT_OUT[type(pipeline).__name__]
    return type(pipeline)(**{**pipeline.components, **left_out, **components})


def _supported(name: str, config: Any) -> type[Any]:
    kind = str(config.get("_class_name"))
    if kind in _CLASSES:
        return _CLASSES[kind]
    why = f"it is a {kind}"
    if "FlowMatch" in str(config.get("scheduler")):
        why += ", which is trained by flow matching: its likelihood has another form"
    raise InputError(
        f"model id {name!r} is not supported: {why}; supported are {' and '.join(_CLASSES)}"
    )


def _stored_dtype(unet: Path) -> torch.dtype:
    """The type that the UNet's weights are stored in."""
    files = sorted(unet.glob("diffusion_pytorch_model*.safetensors"))
    if not files:
        raise OSError(f"{unet} has no safetensors file")
    with safe_open(files[0], framework="pt") as weights:
        return _DTYPES[weights.get_slice(next(iter(weights.keys()))).get_dtype()]
