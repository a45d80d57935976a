"""Processors of images and texts, with torchvision or without."""

from pathlib import Path
from typing import Any

from transformers.processing_utils import ProcessorMixin
from transformers.utils.import_utils import is_torchvision_available

from .loading import read_part

_VIDEO = "video_processor"


def read_processor(
    path: str | Path, auto: Any, kind: type[ProcessorMixin] | None, **settings: Any
) -> Any:
    """A folder's processor; Pillow makes its images ready where there is no torchvision.

    Args:
        path: what `from_pretrained` takes.
        auto: the class that reads it, transformers' auto class or the kind itself.
        kind: its class, if that is known: of one that reads videos, what does is left out.
        settings: more of what `from_pretrained` takes.

    Raises:
        one of UNREADABLE: it cannot be loaded, or needs a package that is not installed.
    """
    try:
        return read_part(path, auto, **settings)
    except (ImportError, OSError, ValueError) as error:
        if kind is None or _VIDEO not in kind.get_attributes():
            raise _said(error) from error
        try:
            return read_part(path, _without_videos(kind), **settings)
        except (ImportError, ValueError) as still:
            raise _said(still) from still


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

    # Which are written beside what is saved.
    Still.__name__, Still.__module__ = kind.__name__, kind.__module__
    return Still


def save_processor(processor: Any, folder: Path) -> None:
    """Writes it as transformers reads it, with torchvision or without."""
    processor.save_pretrained(str(folder))
    # What reads videos, if the class has it, is made of this where it is not in a file of its own.
    processor.image_processor.save_pretrained(str(folder))
