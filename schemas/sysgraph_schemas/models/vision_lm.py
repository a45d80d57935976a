"""`kind: vision_lm`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .writer import Writer


class VisionLM(Writer):
    """A vision-language model, loaded by transformers.

    It writes texts, and its prompts may have images in them: `{{ picture }}`. Its term is exact,
    given the images.
    """

    noun: ClassVar[str] = "a vision_lm model"
    reads_images: ClassVar[bool] = True

    kind: Annotated[Literal["vision_lm"], Field(examples=["vision_lm"])] = "vision_lm"
    """A vision-language model: what transformers loads as image-text-to-text."""
