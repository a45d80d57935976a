"""`kind: regex` and `kind: tagged`: what is found in a text."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..spec import refuse
from .base import Options, distinct
from .lists import ListParser


class Extract(ListParser):
    """A parser that finds something in a text: the first, all, or one of some options."""

    many: Annotated[bool, Field(examples=[True])] = False
    """Gives every match as list[text] instead of the first as text."""
    options: Options | None = None
    """What the text that is found has to be one of, in any case: gives a choice, as the option is
    written here. Anything else is a failure."""

    @property
    def value_type(self) -> str:
        """A list, a choice or a text."""
        return "list[text]" if self.many else "choice" if self.options else "text"

    @property
    def choices(self) -> list[str]:
        """`options`."""
        return self.options or []

    @property
    def can_fail(self) -> bool:
        """Whether some text makes this parser fail: no match does, where one is wanted."""
        return not self.many or super().can_fail

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        distinct(self.options)
        if self.many and self.options:
            said = "a parser gives one of `options`, or with `many` a list, not both"
            raise refuse("SG107", said, at=("many",), help="remove one of them")
        return self


class Regex(Extract):
    """What a regular expression's first group (or whole match) captures."""

    noun: ClassVar[str] = "a regex parser"

    kind: Annotated[Literal["regex"], Field(examples=["regex"])] = "regex"
    """Matches a regular expression."""
    pattern: Annotated[str, Field(min_length=1, max_length=1000, examples=["answer: (.+)"])]
    """The expression, as Python's `re` writes it."""

    @property
    def expression(self) -> str:
        """`pattern`."""
        return self.pattern


class Tagged(Extract):
    """What stands between <tag> and </tag>."""

    noun: ClassVar[str] = "a tagged parser"

    kind: Annotated[Literal["tagged"], Field(examples=["tagged"])] = "tagged"
    """Text between an opening and a closing tag."""
    tag: Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$", examples=["answer"])]
    """The tag's name."""
