"""`kind: lm`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Computed
from .prompted import Prompted


class LMNode(Computed, Prompted):
    """A text that a language model writes, given its prompt."""

    noun: ClassVar[str] = "an lm node"

    kind: Annotated[Literal["lm"], Field(examples=["lm"])] = "lm"
    """A text that a language model writes."""
