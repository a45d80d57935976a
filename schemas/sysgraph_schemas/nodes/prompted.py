"""What nodes share whose model reads a prompt."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ..spec import refuse
from .base import Node
from .messages import Messages, Part, Path


class Prompted(Node):
    """A node that a language model or a classifier gives a value, from `prompt` or `messages`."""

    model: Annotated[str, Field(min_length=1, examples=["ada", "{{ agent }}"])]
    """A name under `models`, or a template over the `for_each` keys that gives one."""
    model_names: Annotated[dict[str, str] | None, Field(examples=[{"writer": "ada"}])] = None
    """What such a template calls models that have another name."""
    prompt: Annotated[str | None, Field(examples=["{{ question }}"])] = None
    """A Jinja2 template over the parents, given to the model as plain text."""
    messages: Annotated[
        list[Messages] | None,
        Field(min_length=1, examples=[[{"role": "user", "content": "{{ question }}"}]]),
    ] = None
    """The prompt as chat messages, through the model's chat template. Besides messages there may be
    messages for each element of a list, and those that an input gives."""

    @property
    def models_called(self) -> dict[str, str]:
        """`model_names`."""
        return self.model_names or {}

    @property
    def model_template(self) -> str:
        """The template that names the model."""
        return self.model

    @property
    def templates(self) -> dict[Path, str]:
        """The prompt, or every message's content."""
        if self.prompt is not None:
            return {("prompt",): self.prompt}
        return {
            ("messages", number, *path): text
            for number, part in enumerate(self.message_parts)
            for path, text in part.templates.items()
        }

    @property
    def plain_prompt(self) -> str | None:
        """`prompt`."""
        return self.prompt

    @property
    def message_parts(self) -> tuple[Part, ...]:
        """`messages`."""
        return tuple(self.messages or ())

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if self.prompt is None and self.messages is None:
            help = 'add `prompt: "..."` (plain text) or `messages:` (through the chat template)'
            raise refuse("SG102", f"{self.noun} needs `prompt` or `messages`", help=help)
        if self.prompt is not None and self.messages is not None:
            said = f"{self.noun} has `prompt` or `messages`, not both"
            raise refuse("SG107", said, at=("messages",), help="remove one of them")
        return self
