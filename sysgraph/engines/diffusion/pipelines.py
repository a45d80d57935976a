"""Loading a pipeline: which ones, of which parts, from which files, and in which types."""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DiffusionPipeline,
    SchedulerMixin,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors import safe_open
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from sysgraph_schemas import Diffusion

from ...support.errors import InputError
from ...support.quiet_diffusers import quiet
from ..checkpoints.loading import explained, read_model, read_part
from ..checkpoints.reasons import NotSafetensors
from ..checkpoints.sources import Source, pickled, source

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
# What each part may be: a pipeline's file names a class of any library for each, which is not
# looked up but found here.
_MODELS: dict[str, tuple[type[Any], ...]] = {
    "unet": (UNet2DConditionModel,),
    "vae": (AutoencoderKL, AutoencoderTiny),
    "text_encoder": (CLIPTextModel,),
    "text_encoder_2": (CLIPTextModelWithProjection,),
}
_TOKENIZERS = ("tokenizer", "tokenizer_2")
# diffusion_pytorch_model.safetensors, model.fp16.safetensors, and shards of both, also as they
# once were named (model-00001-of-00002.fp16.safetensors).
_WEIGHTS = re.compile(
    r"(diffusion_pytorch_)?model(-\d+-of-\d+)?(\.(?P<variant>\w+))?(-\d+-of-\d+)?\.safetensors"
)
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Checkpoint(NamedTuple):
    """A pipeline on the disk."""

    source: Source
    folder: Path
    kind: type[Any]
    parts: Mapping[str, type[Any]]
    """The class of each part."""
    settings: Mapping[str, Any]
    """What else the pipeline's file says of it."""
    dtype: torch.dtype


def find(spec: Diffusion) -> Checkpoint:
    """The pipeline that `spec` names, fetched if it is on the Hub.

    Raises:
        InputError: it is no pipeline of supported classes, or cannot be found.
    """
    found = source(spec.id, revision=spec.revision)
    revision = {"revision": spec.revision} if spec.revision else {}
    with explained(found), quiet():
        config = DiffusionPipeline.load_config(found.path, **revision)
    kind = _supported(found, config)
    parts = {part: _class_of(found, config, part) for part in _parts_of(kind)}
    with explained(found), quiet():
        folder = Path(found.path) if found.is_folder else _fetched(found.path, kind, revision)
        stored = _stored_dtype(folder / "unet")
    dtype = stored if spec.dtype == "auto" else getattr(torch, spec.dtype)
    return Checkpoint(found, folder, kind, parts, _settings(config, kind), dtype)


def load_pipeline(found: Checkpoint, device: torch.device) -> Any:
    """The pipeline on `device`, frozen, in evaluation mode.

    The VAE is float32 whatever the others are: at half precision it gives NaN (Stable Diffusion
    XL's) or coarse latents, and it is out of every training step.

    Raises:
        InputError: it cannot be loaded, or lacks weights.
    """
    with explained(found.source), quiet():
        pipeline: Any = found.kind(
            **{part: _read(found, part) for part in found.parts},
            **found.settings,
            **_LEFT_OUT[found.kind.__name__],
        )
        pipeline.vae.to(torch.float32)
        pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    for part, module in pipeline.components.items():
        if isinstance(module, nn.Module):
            module.requires_grad_(False).eval()
        if part in _TOKENIZERS:
            encoder = pipeline.components[part.replace("tokenizer", "text_encoder")]
            _limit(module, encoder.config.max_position_embeddings)
    return pipeline


def load_unet(found: Checkpoint, device: torch.device) -> nn.Module:
    """Another copy of the pipeline's UNet on `device`.

    Raises:
        InputError: it cannot be loaded.
    """
    with explained(found.source), quiet():
        unet: nn.Module = _read(found, "unet")
    return unet.to(device).eval()


def bare(pipeline: Any, **components: Any) -> Any:
    """A second pipeline on the same modules, but for `components`."""
    left_out = _LEFT_OUT[type(pipeline).__name__]
    return type(pipeline)(**{**pipeline.components, **left_out, **components})


def _supported(found: Source, config: Any) -> type[Any]:
    kind = str(config.get("_class_name"))
    if kind in _CLASSES:
        return _CLASSES[kind]
    why = f"it is a {kind}"
    if "FlowMatch" in str(config.get("scheduler")):
        why += ", which is trained by flow matching: its likelihood has another form"
    raise InputError(
        f"model id {found.name!r} is not supported: {why}; supported are {' and '.join(_CLASSES)}"
    )


def _parts_of(kind: type[Any]) -> list[str]:
    """The parts that a pipeline is made of, but for those that are left out."""
    expected, _ = kind._get_signature_keys(kind)
    return [part for part in expected if part not in _LEFT_OUT[kind.__name__]]


def _settings(config: Any, kind: type[Any]) -> dict[str, Any]:
    """What a pipeline's file says beside its parts, as that an empty caption is all zeros."""
    _, optional = kind._get_signature_keys(kind)
    wanted = set(optional) - set(_LEFT_OUT[kind.__name__])
    return {name: config[name] for name in wanted if isinstance(config.get(name), bool)}


def _class_of(found: Source, config: Any, part: str) -> type[Any]:
    """The class of a part that the pipeline's file declares.

    Raises:
        InputError: it declares none, or another one than the part can have.
    """
    declared = config.get(part) or [None, None]
    name = str(declared[-1])
    if part in _TOKENIZERS:
        allowed: tuple[type[Any], ...] = (CLIPTokenizer,)
        name = name.removesuffix("Fast")
    elif part == "scheduler":
        known = getattr(diffusers, name, None)
        is_one = isinstance(known, type) and issubclass(known, SchedulerMixin)
        allowed = (known,) if is_one and known is not None else ()
    else:
        allowed = _MODELS[part]
    for kind in allowed:
        if kind.__name__ == name:
            return kind
    what = "is missing" if declared[-1] is None else f"is a {name}"
    names = " or ".join(kind.__name__ for kind in allowed) or "a scheduler of diffusers"
    raise InputError(
        f"model id {found.name!r} is not supported: its {part} {what}; it can be {names}"
    )


def _fetched(name: str, kind: type[Any], revision: Mapping[str, str]) -> Path:
    """The folder of a pipeline of the Hub: its plain files, or where there are none its fp16."""
    settings = {"use_safetensors": True, **revision, **_LEFT_OUT[kind.__name__]}
    try:
        return Path(kind.download(name, **settings))
    except (OSError, ValueError):
        try:
            return Path(kind.download(name, variant="fp16", **settings))
        except (OSError, ValueError):
            pass
        raise


def _read(found: Checkpoint, part: str) -> Any:
    """One part, whole.

    Raises:
        ValueError: weights are missing; names the part.
        one of UNREADABLE: it cannot be loaded for another reason.
    """
    kind, folder = found.parts[part], found.folder / part
    if part == "scheduler":
        return kind.from_pretrained(folder, local_files_only=True)
    if part in _TOKENIZERS:
        return read_part(folder, kind, local_files_only=True)
    variant = _variant(folder)
    settings: dict[str, Any] = {"variant": variant} if variant else {}
    try:
        return read_model(folder, kind, dtype=found.dtype, local_files_only=True, **settings).module
    except ValueError as error:
        raise ValueError(f"its {part}: {error}") from error


def _files(folder: Path) -> dict[str | None, list[Path]]:
    """A part's files of weights by variant; None for the plain ones.

    Raises:
        NotSafetensors: there are none.
    """
    found: dict[str | None, list[Path]] = defaultdict(list)
    for file in sorted(folder.glob("*.safetensors")):
        named = _WEIGHTS.fullmatch(file.name)
        if named is not None:
            found[named["variant"]].append(file)
    if not found:
        others = pickled(folder)
        has = f"are pickled ({', '.join(others[:3])})" if others else "have no safetensors files"
        raise NotSafetensors(f"the weights of its {folder.name} {has}")
    return dict(found)


def _variant(folder: Path) -> str | None:
    """The variant of the files that are loaded: none where there are plain ones.

    Raises:
        NotSafetensors: there are none.
        ValueError: there are those of several variants, and no plain ones.
    """
    found = _files(folder)
    if None in found:
        return None
    if len(found) > 1:
        several = ", ".join(sorted(map(str, found)))
        raise ValueError(f"its {folder.name} has files of several variants ({several}): keep one")
    return next(iter(found))


def _stored_dtype(unet: Path) -> torch.dtype:
    """The type that the UNet's weights are stored in, in the files that are loaded."""
    with safe_open(_files(unet)[_variant(unet)][0], framework="pt") as weights:
        kept = weights.get_slice(next(iter(weights.keys()))).get_dtype()
    if kept not in _DTYPES:
        raise ValueError(f"its unet is stored as {kept}; supported are {', '.join(_DTYPES)}")
    return _DTYPES[kept]


def _limit(tokenizer: Any, positions: int) -> None:
    """Lets a tokenizer cut captions where its text encoder ends, if it says no limit or more."""
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
