"""`parsers:` of a graph file: named, deterministic readers of text, each with a failure policy."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .failure import Fallible
from .spec import refuse


class _ListParser(Fallible):
    min_items: Annotated[int, Field(ge=0, examples=[3])] = 0
    """Fewer items are a failure."""
    max_items: Annotated[int | None, Field(ge=1, le=1000, examples=[3])] = None
    """More items are a failure."""

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.max_items is not None and self.min_items > self.max_items:
            said = f"`min_items: {self.min_items}` is more than `max_items: {self.max_items}`"
            raise refuse("SG107", said, at=("min_items",))
        return self

    @property
    def can_fail(self) -> bool:
        """Whether some text makes this parser fail."""
        return self.min_items > 0 or self.max_items is not None


class Split(_ListParser):
    """Splits at a separator; items are stripped, empty ones dropped. Gives list[text]."""

    noun: ClassVar[str] = "a split parser"

    kind: Annotated[Literal["split"], Field(examples=["split"])] = "split"
    """Splits at a separator."""
    separator: Annotated[str, Field(min_length=1, examples=[";"])] = ","
    """The text between items."""


class Lines(_ListParser):
    """One item a line; items are stripped, empty ones dropped. Gives list[text]."""

    noun: ClassVar[str] = "a lines parser"

    kind: Annotated[Literal["lines"], Field(examples=["lines"])] = "lines"
    """One item a line."""


class _Extract(_ListParser):
    many: Annotated[bool, Field(examples=[True])] = False
    """Gives every match as list[text] instead of the first as text."""

    @property
    def can_fail(self) -> bool:
        """Whether some text makes this parser fail: no match does, where one is wanted."""
        return not self.many or super().can_fail


class Regex(_Extract):
    """What a regular expression's first group (or whole match) captures."""

    noun: ClassVar[str] = "a regex parser"

    kind: Annotated[Literal["regex"], Field(examples=["regex"])] = "regex"
    """Matches a regular expression."""
    pattern: Annotated[str, Field(min_length=1, max_length=1000, examples=["answer: (.+)"])]
    """The expression, as Python's `re` writes it."""


class Tagged(_Extract):
    """What stands between <tag> and </tag>."""

    noun: ClassVar[str] = "a tagged parser"

    kind: Annotated[Literal["tagged"], Field(examples=["tagged"])] = "tagged"
    """Text between an opening and a closing tag."""
    tag: Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$", examples=["answer"])]
    """The tag's name."""


class Json(_ListParser):
    """A field of a JSON object in the text: a string or number, or with `many` a list of these.

    The first object that has the field is read, whatever stands around it.
    """

    noun: ClassVar[str] = "a json parser"

    kind: Annotated[Literal["json"], Field(examples=["json"])] = "json"
    """Reads a JSON object."""
    field: Annotated[str, Field(min_length=1, examples=["captions"])]
    """The object's key."""
    many: Annotated[bool, Field(examples=[True])] = False
    """The field is a list of strings or numbers; gives list[text]."""

    @property
    def can_fail(self) -> bool:
        """Whether some text makes this parser fail: text that is no JSON does."""
        return True


ParserSpec = Annotated[Split | Lines | Regex | Tagged | Json, Field(discriminator="kind")]


def gives_list(parser: "Split | Lines | Regex | Tagged | Json") -> bool:
    """Whether the parser's value is list[text] rather than text."""
    return isinstance(parser, Split | Lines) or parser.many
