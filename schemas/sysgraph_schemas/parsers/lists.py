"""`kind: split` and `kind: lines`: lists of texts."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .base import Parser, in_order


class ListParser(Parser):
    """A parser that gives a list, with bounds on its length."""

    min_items: Annotated[int, Field(ge=0, examples=[3])] = 0
    """Fewer items are a failure."""
    max_items: Annotated[int | None, Field(ge=1, le=1000, examples=[3])] = None
    """More items are a failure."""

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        in_order(self.min_items, self.max_items)
        return self

    @property
    def value_type(self) -> str:
        """A list."""
        return "list[text]"

    @property
    def bounds(self) -> tuple[int, int | None]:
        """`min_items` and `max_items`."""
        return self.min_items, self.max_items

    @property
    def can_fail(self) -> bool:
        """Whether a list may be too short or too long."""
        return self.min_items > 0 or self.max_items is not None


class Split(ListParser):
    """Splits at a separator; items are stripped, empty ones dropped. Gives list[text]."""

    noun: ClassVar[str] = "a split parser"

    kind: Annotated[Literal["split"], Field(examples=["split"])] = "split"
    """Splits at a separator."""
    separator: Annotated[str, Field(min_length=1, examples=[";"])] = ","
    """The text between items."""


class Lines(ListParser):
    """One item a line; items are stripped, empty ones dropped. Gives list[text]."""

    noun: ClassVar[str] = "a lines parser"

    kind: Annotated[Literal["lines"], Field(examples=["lines"])] = "lines"
    """One item a line."""
