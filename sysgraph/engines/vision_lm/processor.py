"""The processor of a vision-language model: what makes ids and pixels of texts and images."""

from typing import Any

from transformers import PROCESSOR_MAPPING, AutoConfig, AutoProcessor
from transformers.processing_utils import ProcessorMixin

from ..checkpoints.loading import explained
from ..checkpoints.processors import read_processor
from ..checkpoints.sources import Source


def load_processor(source: Source) -> Any:
    """A checkpoint's processor; Pillow makes its images ready where there is no torchvision.

    Raises:
        InputError: it has none, or needs a package that is not installed; says which.
    """
    with explained(source):
        settings = {"revision": source.revision or "main"}
        found = read_processor(source.path, AutoProcessor, _kind_of(source), **settings)
    if not isinstance(found, ProcessorMixin) or not hasattr(found, "image_processor"):
        raise source.refusal(
            "it has no processor of images and texts (preprocessor_config.json, or "
            "processor_config.json): take a vision-language model, or `kind: causal_lm`"
        )
    return found


def _kind_of(source: Source) -> type[ProcessorMixin] | None:
    """The class of processors of a checkpoint's architecture."""
    config = AutoConfig.from_pretrained(
        source.path, revision=source.revision or "main", trust_remote_code=False
    )
    found: Any = PROCESSOR_MAPPING.get(type(config), None)
    return found if isinstance(found, type) else None
