"""Which pipelines are supported, and of what parts they are made.

Stable Diffusion's by name; those that are trained by flow matching by what they declare: a class
of diffusers that makes an image of a caption, or of a picture and an instruction, with a
`transformer`, under a scheduler of flow matching.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import diffusers
import transformers
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DiffusionPipeline,
    SchedulerMixin,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from transformers import PreTrainedTokenizerBase

from ...support.errors import InputError
from ..checkpoints.sources import Source

_LIBRARIES = {"diffusers": diffusers, "transformers": transformers}
# What the call of a pipeline takes that draws images from captions, or edits them; and what those
# take that do something else.
_CALL = {"prompt", "height", "width", "num_inference_steps", "generator", "output_type"}
_NOT_CALL = {
    "mask_image": "which paints into a part of a picture (`mask_image`)",
    "strength": "which begins with a picture that has some noise on it (`strength`)",
    "control_image": "which needs a picture of outlines, depths or the like (`control_image`)",
    "num_frames": "which draws videos",
    "audio_duration": "which makes sounds",
}
_NEEDED = ("scheduler", "vae", "transformer")


@dataclass(frozen=True)
class Family:
    """What a pipeline's class says of it."""

    kind: type[Any]
    denoiser: str
    """The part that is trained: `unet` or `transformer`."""
    is_flow: bool
    """Trained by flow matching, and not to predict noise at discrete steps."""
    left_out: Mapping[str, Any] = field(default_factory=dict)
    """Never loaded: parts that look at images, and are no part of the likelihood."""

    def parts(self, found: Source, config: Any) -> dict[str, type[Any]]:
        """The class of each part that the pipeline's file declares, but for those left out.

        Raises:
            InputError: it declares none, or another one than the part can have.
        """
        expected, _ = self.kind._get_signature_keys(self.kind)
        types = self.kind._get_signature_types()
        out = {}
        for part in expected:
            is_absent = (config.get(part) or [None])[-1] is None
            if part not in self.left_out and not (is_absent and self._can_lack(part)):
                out[part] = _class_of(found, config, part, types.get(part, ()))
        return out

    @property
    def takes_pictures(self) -> bool:
        """Its call takes pictures, as those do that edit."""
        return "image" in inspect.signature(self.kind.__call__).parameters

    def _can_lack(self, part: str) -> bool:
        """Whether a part may be declared as none: a further text encoder, of which there are more.

        Stable Diffusion 3 runs without its T5, which is most of it.
        """
        return self.is_flow and part in ("text_encoder_3", "tokenizer_3")


_CHECKED = {
    "safety_checker": None,
    "requires_safety_checker": False,
    "feature_extractor": None,
    "image_encoder": None,
}
_FAMILIES = {
    family.kind.__name__: family
    for family in (
        Family(StableDiffusionPipeline, "unet", False, _CHECKED),
        Family(StableDiffusionInstructPix2PixPipeline, "unet", False, _CHECKED),
        Family(
            StableDiffusionXLPipeline,
            "unet",
            False,
            {"feature_extractor": None, "image_encoder": None, "add_watermarker": False},
        ),
    )
}
_SUPPORTED = (
    f"supported are {', '.join(_FAMILIES)}, and pipelines of diffusers that draw an image from "
    "a caption, or edit one by an instruction, with a `transformer` trained by flow matching, as "
    "StableDiffusion3Pipeline, FluxPipeline, QwenImagePipeline and ZImagePipeline do, and "
    "FluxKontextPipeline, QwenImageEditPipeline and QwenImageEditPlusPipeline"
)


def family_of(found: Source, config: Any) -> Family:
    """The family of a pipeline, by its file's content.

    Raises:
        InputError: it is none of those supported.
    """
    name = str(config.get("_class_name"))
    if name in _FAMILIES:
        return _FAMILIES[name]
    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, DiffusionPipeline)):
        raise _unsupported(found, name, "which this version of diffusers does not have")
    call = set(inspect.signature(kind.__call__).parameters)
    other = next((why for one, why in _NOT_CALL.items() if one in call), None)
    if other is not None:
        raise _unsupported(found, name, other)
    declared = config.get("scheduler") or [None]
    if "FlowMatch" not in str(declared[-1]):
        raise _unsupported(found, name, f"whose scheduler is a {declared[-1]}")
    expected, _ = kind._get_signature_keys(kind)
    lacking = sorted(set(_NEEDED) - set(expected))
    if lacking:
        raise _unsupported(found, name, f"which has no `{lacking[0]}`")
    unknown = sorted(_CALL - call)
    if unknown:
        raise _unsupported(found, name, f"whose call takes no `{unknown[0]}`")
    optional = {part: None for part in kind._optional_components if not _is_told(part)}
    return Family(kind, "transformer", True, optional)


def _is_told(part: str) -> bool:
    """Whether it is a part that a caption goes through, or one that always is there."""
    return part in _NEEDED or part.startswith(("text_encoder", "tokenizer"))


def _unsupported(found: Source, name: str, why: str) -> InputError:
    return InputError(
        f"model id {found.name!r} is not supported: it is a {name}, {why}; {_SUPPORTED}"
    )


def _class_of(found: Source, config: Any, part: str, types: Sequence[Any]) -> type[Any]:
    """The class of a part that a pipeline's file declares.

    The file may name any class of any library. Of the two that pipelines are made of, it may be
    what the pipeline's own class says that the part is.
    """
    library, name = (config.get(part) or [None, None])[:2]
    kind = getattr(_LIBRARIES.get(str(library)), str(name), None)
    allowed = _allowed(part, types)
    if isinstance(kind, type) and issubclass(kind, allowed):
        return kind
    what = "is missing" if name is None else f"is a {name}"
    names = " or ".join(one.__name__ for one in allowed)
    names = "a scheduler of diffusers" if part == "scheduler" else names
    raise InputError(
        f"model id {found.name!r} is not supported: its {part} {what}; it can be {names}"
    )


def _allowed(part: str, types: Sequence[Any]) -> tuple[type[Any], ...]:
    if part == "scheduler":
        return (SchedulerMixin,)
    known = tuple(kind for kind in types if isinstance(kind, type))
    if part.startswith("tokenizer"):  # some say that it is an AutoTokenizer, which it can not be
        words = tuple(kind for kind in known if issubclass(kind, PreTrainedTokenizerBase))
        return words or (PreTrainedTokenizerBase,)
    return (*known, AutoencoderTiny) if AutoencoderKL in known else known
