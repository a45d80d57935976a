"""`kind: word`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import Options, Parser, distinct


class Word(Parser):
    """Which of some options a text names, as words of their own in any case. Gives a choice."""

    noun: ClassVar[str] = "a word parser"

    kind: Annotated[Literal["word"], Field(examples=["word"])] = "word"
    """Which of some options a text names."""
    options: Options
    """The options. Where one stands inside another (`ok`, `not ok`), the longer one is named."""
    which: Annotated[Literal["only", "first", "last"], Field(examples=["last"])] = "only"
    """Which one is meant where a text names several: `first`, `last`, or with `only` none: that is
    a failure, as is a text that names none."""

    @property
    def value_type(self) -> str:
        """A choice."""
        return "choice"

    @property
    def choices(self) -> list[str]:
        """`options`."""
        return self.options

    @model_validator(mode="after")
    def _differ(self) -> Self:
        distinct(self.options)
        return self
