"""What a package adds to the language: a kind of model, and a kind of node for it."""

import sys
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sysgraph_schemas import Computed, Model, Parser

assert "torch" not in sys.modules  # a graph is read, checked and compiled without it


class Letters(Model):
    """Texts whose letters are independent of one another, and of the prompt."""

    noun: ClassVar[str] = "a letters model"
    gives: ClassVar[tuple[str, ...]] = ("text",)

    kind: Annotated[Literal["letters"], Field(examples=["letters"])] = "letters"
    """Independent letters."""
    alphabet: Annotated[str, Field(min_length=1, examples=["ab"])]
    """The letters."""
    frozen: bool = False
    """Whether nothing is trained."""

    @property
    def training(self) -> str:
        return "frozen" if self.frozen else "logits"

    @property
    def summary(self) -> str:
        return f"over {self.alphabet}"


class Clock(Model):
    """A model that only says something: what it says has no likelihood."""

    noun: ClassVar[str] = "a clock model"
    gives: ClassVar[tuple[str, ...]] = ("text",)
    likelihood: ClassVar[Literal["exact", "bound", "none"]] = "none"

    kind: Annotated[Literal["clock"], Field(examples=["clock"])] = "clock"
    """A clock."""


class SpellNode(Computed):
    """A text that is spelt after a word."""

    noun: ClassVar[str] = "a spell node"

    kind: Annotated[Literal["spell"], Field(examples=["spell"])] = "spell"
    """A text that is spelt."""
    speller: Annotated[str, Field(examples=["writer"])]
    """A name under `models`."""
    after: Annotated[str, Field(examples=["{{ question }}"])]
    """What it is spelt after."""

    @property
    def model_template(self) -> str:
        return self.speller

    @property
    def plain_prompt(self) -> str:
        return self.after

    @property
    def templates(self) -> dict[tuple[str | int, ...], str]:
        return {("after",): self.after}


class Initial(Parser):
    """The first letter of a text, if it is one of some."""

    noun: ClassVar[str] = "an initial parser"

    kind: Annotated[Literal["initial"], Field(examples=["initial"])] = "initial"
    """The first letter."""
    among: Annotated[str, Field(min_length=1, examples=["ab"])]
    """The letters."""

    @property
    def value_type(self) -> str:
        return "choice"

    @property
    def choices(self) -> list[str]:
        return list(self.among)


def initial(parser: Initial, text: str) -> list[str]:
    """What it finds: nothing in an empty text."""
    return [text[:1]] if text else []
