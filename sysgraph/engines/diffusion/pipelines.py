"""Loading a pipeline: which ones, of which parts, from which files, and in which types."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import DiffusionPipeline, SchedulerMixin
from huggingface_hub import HfApi, snapshot_download
from safetensors import safe_open
from torch import nn
from transformers import CLIPTokenizer, PreTrainedTokenizerBase
from transformers.processing_utils import ProcessorMixin

from sysgraph_schemas import Diffusion

from ...support.quiet_diffusers import quiet
from ..checkpoints import shapes
from ..checkpoints.loading import explained, read_model, read_part
from ..checkpoints.processors import read_processor
from ..checkpoints.reasons import NotSafetensors
from ..checkpoints.sources import Source, pickled, source
from ..sharding import mesh
from .families import Family, family_of

# diffusion_pytorch_model.safetensors, model.fp16.safetensors, and shards of both, also as they
# once were named (model-00001-of-00002.fp16.safetensors).
_WEIGHTS = re.compile(
    r"(diffusion_pytorch_)?model(-\d+-of-\d+)?(\.(?P<variant>\w+))?(-\d+-of-\d+)?\.safetensors"
)
_NO_WEIGHTS = ("*.json", "*.txt", "*.model")
"""A pipeline's configurations, and the files of its tokenizers."""
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Checkpoint(NamedTuple):
    """A pipeline on the disk."""

    source: Source
    folder: Path
    family: Family
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
    family = family_of(found, config)
    parts = family.parts(found, config)
    with explained(found), quiet():
        folder = Path(found.path) if found.is_folder else _fetched(found.path, family, revision)
        stored = _stored_dtype(found, folder / family.denoiser)
    dtype = stored if spec.dtype == "auto" else getattr(torch, spec.dtype)
    return Checkpoint(found, folder, family, parts, _settings(config, family), dtype)


def load_pipeline(found: Checkpoint, device: torch.device) -> Any:
    """The pipeline on `device`, frozen, in evaluation mode.

    The VAE is float32 whatever the others are: at half precision it gives NaN (Stable Diffusion
    XL's) or coarse latents, and it is out of every training step.

    Raises:
        InputError: it cannot be loaded, or lacks weights.
    """
    with explained(found.source), quiet():
        expected, _ = found.family.kind._get_signature_keys(found.family.kind)
        pipeline: Any = found.family.kind(
            **{part: _read(found, part) if part in found.parts else None for part in expected},
            **found.settings,
            **{k: v for k, v in found.family.left_out.items() if k not in expected},
        )
        pipeline.vae.to(torch.float32)
        pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    for part, module in pipeline.components.items():
        if isinstance(module, nn.Module):
            module.requires_grad_(False).eval()
        if isinstance(module, CLIPTokenizer):
            encoder = pipeline.components[part.replace("tokenizer", "text_encoder")]
            _limit(module, encoder.config.max_position_embeddings)
    return pipeline


def load_denoiser(found: Checkpoint, device: torch.device) -> nn.Module:
    """Another copy of the part that is trained, on `device`.

    Raises:
        InputError: it cannot be loaded.
    """
    with explained(found.source), quiet():
        denoiser: nn.Module = _read(found, found.family.denoiser)
    return denoiser.to(device).eval()


def bare(found: Checkpoint, pipeline: Any, **components: Any) -> Any:
    """A second pipeline on the same modules, but for `components`."""
    given = {**pipeline.components, **found.settings, **found.family.left_out, **components}
    return found.family.kind(**given)


def _settings(config: Any, family: Family) -> dict[str, Any]:
    """What a pipeline's file says beside its parts, as that an empty caption is all zeros."""
    _, optional = family.kind._get_signature_keys(family.kind)
    wanted = set(optional) - set(family.left_out)
    return {k: config[k] for k in wanted if isinstance(config.get(k), bool | int | float | list)}


def _fetched(name: str, family: Family, revision: Mapping[str, str]) -> Path:
    """The folder of a pipeline of the Hub: its plain files, or where there are none its fp16.

    Of shapes, what is no weights.
    """
    if shapes.are_all():
        at = revision.get("revision")
        return Path(snapshot_download(name, revision=at, allow_patterns=list(_NO_WEIGHTS)))
    settings = {"use_safetensors": True, **revision, **family.left_out}
    kind = family.kind
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
    if issubclass(kind, SchedulerMixin):
        with shapes.numbers():
            return kind.from_pretrained(folder, local_files_only=True)
    if issubclass(kind, ProcessorMixin):
        return read_processor(folder, kind, kind, local_files_only=True)
    if issubclass(kind, PreTrainedTokenizerBase):
        return read_part(folder, kind, local_files_only=True)
    if shapes.are_all():
        return shapes.blank_part(folder, kind, found.dtype)
    variant = _variant(folder)
    settings: dict[str, Any] = {"variant": variant} if variant else {}
    try:
        settings |= {"dtype": found.dtype, "local_files_only": True}
        # The denoiser alone is divided: what reads captions and pictures is run once for each.
        parts = mesh() if part == found.family.denoiser else None
        return read_model(folder, kind, mesh=parts, **settings).module
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


def _stored_dtype(found: Source, part: Path) -> torch.dtype:
    """The type that a part's weights are stored in, in the files that are loaded."""
    if shapes.are_all() and not any(part.glob("*.safetensors")):
        kept = _told_dtype(found, part.name)
    else:
        with safe_open(_files(part)[_variant(part)][0], framework="pt") as weights:
            kept = weights.get_slice(next(iter(weights.keys()))).get_dtype()
    if kept not in _DTYPES:
        raise ValueError(f"its {part.name} is stored as {kept}; supported are {', '.join(_DTYPES)}")
    return _DTYPES[kept]


def _told_dtype(found: Source, part: str) -> str:
    """The same of a part whose weights are not here: what the Hub says of the first of its files.

    Float32 where it says nothing: of a folder, and where the Hub is out of reach.
    """
    with contextlib.suppress(OSError, ValueError, LookupError):
        if not found.is_folder:
            hub, at = HfApi(), found.revision
            files = hub.list_repo_files(found.path, revision=at)
            names = [name for name in files if _is_of(name, part)]
            first = min(names, key=lambda name: (bool(_variant_in(name)), name))
            told = hub.parse_safetensors_file_metadata(found.path, first, revision=at)
            return next(iter(told.tensors.values())).dtype
    return "F32"


def _is_of(name: str, part: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder == part and _WEIGHTS.fullmatch(file) is not None


def _variant_in(name: str) -> str | None:
    named = _WEIGHTS.fullmatch(name.rpartition("/")[2])
    return None if named is None else named["variant"]


def _limit(tokenizer: Any, positions: int) -> None:
    """Lets a tokenizer cut captions where its text encoder ends, if it says no limit or more."""
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
