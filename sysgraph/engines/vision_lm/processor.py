"""The processor of a vision-language model: what makes ids and pixels of texts and images."""

from pathlib import Path
from typing import Any

from transformers import PROCESSOR_MAPPING, AutoConfig, AutoProcessor
from transformers.processing_utils import ProcessorMixin
from transformers.utils.import_utils import is_torchvision_available

from ..checkpoints.loading import explained, read_part
from ..checkpoints.sources import Source

_VIDEO = "video_processor"


def load_processor(source: Source) -> Any:
    """A checkpoint's processor; Pillow makes its images ready where there is no torchvision.

    Raises:
        InputError: it has none, or needs a package that is not installed; says which.
    """
    with explained(source):
        settings = {"revision": source.revision or "main"}
        try:
            found = read_part(source.path, AutoProcessor, **settings)
        except (ImportError, OSError, ValueError) as error:
            kind = _kind_of(source)
            if kind is None or _VIDEO not in kind.get_attributes():
                raise _said(error) from error
            try:
                found = read_part(source.path, _without_videos(kind), **settings)
            except (ImportError, ValueError) as still:
                raise _said(still) from still
    if not isinstance(found, ProcessorMixin) or not hasattr(found, "image_processor"):
        raise source.refusal(
            "it has no processor of images and texts (preprocessor_config.json, or "
            "processor_config.json): take a vision-language model, or `kind: causal_lm`"
        )
    return found


def _said(error: Exception) -> Exception:
    """The error; of what needs torchvision, in one sentence."""
    said = str(error).strip()
    if isinstance(error, ImportError) and "orchvision" in said:
        what = said.split(maxsplit=1)[0]
    elif "any image processor class" in said and not is_torchvision_available():
        what = "its class of image processors"
    else:
        return error
    return ImportError(f"{what} needs torchvision: pip install torchvision")


def _kind_of(source: Source) -> type[ProcessorMixin] | None:
    """The class of processors of a checkpoint's architecture."""
    config = AutoConfig.from_pretrained(
        source.path, revision=source.revision or "main", trust_remote_code=False
    )
    found: Any = PROCESSOR_MAPPING.get(type(config), None)
    return found if isinstance(found, type) else None


def _without_videos(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """The class without the part for videos, which needs torchvision in all architectures.

    Many that read images read videos too.
    """

    class Still(kind):  # type: ignore[misc, valid-type]
        @classmethod
        def get_attributes(cls) -> list[str]:
            """The parts that are loaded, and saved."""
            return [name for name in kind.get_attributes() if name != _VIDEO]

        @classmethod
        def _get_arguments_from_pretrained(cls, *args: Any, **kwargs: Any) -> list[Any]:
            parts = super()._get_arguments_from_pretrained(*args, **kwargs)
            found = dict(zip(cls.get_attributes(), parts, strict=True))
            return [found.get(name) for name in kind.get_attributes()]

    Still.__name__ = kind.__name__  # which is written beside what is saved
    return Still


def save_processor(processor: Any, folder: Path) -> None:
    """Writes it as transformers reads it, with torchvision or without."""
    processor.save_pretrained(str(folder))
    # What reads videos, if the class has it, is made of this where it is not in a file of its own.
    processor.image_processor.save_pretrained(str(folder))
