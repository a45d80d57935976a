"""`kind: diffusion`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Computed
from .messages import Path


class DiffusionNode(Computed):
    """An image that a diffusion model draws, given its caption, or a picture and what to do."""

    noun: ClassVar[str] = "a diffusion node"
    gives: ClassVar[str] = "image"

    kind: Annotated[Literal["diffusion"], Field(examples=["diffusion"])] = "diffusion"
    """An image that a diffusion model draws."""
    model: Annotated[str, Field(min_length=1, examples=["painter"])]
    """A name under `models`, or a template over the `for_each` keys that gives one."""
    model_names: Annotated[dict[str, str] | None, Field(examples=[{"writer": "ada"}])] = None
    """What such a template calls models that have another name."""
    prompt: Annotated[str, Field(examples=["{{ caption }}"])]
    """A Jinja2 template over the parents: the caption. Of a model that edits, the picture and the
    instruction: `{{ photo }} {{ instruction }}`, with `photo` an image."""

    @property
    def models_called(self) -> dict[str, str]:
        """`model_names`."""
        return self.model_names or {}

    @property
    def model_template(self) -> str:
        """The template that names the model."""
        return self.model

    @property
    def plain_prompt(self) -> str:
        """The caption."""
        return self.prompt

    @property
    def templates(self) -> dict[Path, str]:
        """The caption."""
        return {("prompt",): self.prompt}
