"""`kind: input`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Node


class InputNode(Node):
    """A value the user gives."""

    noun: ClassVar[str] = "an input node"
    is_input: ClassVar[bool] = True

    kind: Annotated[Literal["input"], Field(examples=["input"])] = "input"
    """A value the user gives."""
    type: Annotated[Literal["text", "messages", "image"], Field(examples=["messages"])] = "text"
    """What it is. `messages`: a list of {role, content}, which chat prompts `insert`: examples that
    every row may bring along, or a talk so far. `image`: a file, which prompts of models that read
    images, or edit them, can have in them."""

    @property
    def value_type(self) -> str:
        """Its `type`."""
        return self.type
