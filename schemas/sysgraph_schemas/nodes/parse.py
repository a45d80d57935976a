"""`kind: parse`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PrivateAttr

from ..parsers import Parser, RecordField
from .base import Computed


class ParseNode(Computed):
    """What a parser reads from its one parent's text. Deterministic: probability 1.

    With the same `for_each` as its parent, each copy reads its own. A parser with `options` makes
    it a choice, by which others run (`when`); one with `fields` a record, whose fields are used as
    `node.field` wherever a node is.
    """

    noun: ClassVar[str] = "a parse node"
    is_deterministic: ClassVar[bool] = True

    kind: Annotated[Literal["parse"], Field(examples=["parse"])] = "parse"
    """What a parser reads from a text."""
    parser: Annotated[str, Field(min_length=1, examples=["captions"])]
    """A name under `parsers`."""

    _spec: Parser | None = PrivateAttr(default=None)

    def bound(self, parsers: Mapping[str, Parser]) -> "ParseNode":
        """The node with its parser's facts; as it is where there is no such parser."""
        spec = parsers.get(self.parser)
        if spec is None or spec is self._spec:
            return self
        copy = self.model_copy()
        copy._spec = spec
        return copy

    @property
    def parser_name(self) -> str:
        """The parser."""
        return self.parser

    @property
    def reader(self) -> str:
        """The parser, for messages."""
        return f"the parser `{self.parser}`"

    @property
    def value_type(self) -> str:
        """What the parser gives."""
        return "any" if self._spec is None else self._spec.value_type

    @property
    def choices(self) -> list[str]:
        """The parser's options."""
        return [] if self._spec is None else self._spec.choices

    @property
    def parts(self) -> Mapping[str, RecordField]:
        """The parser's fields."""
        return {} if self._spec is None else self._spec.parts

    @property
    def fewest(self) -> int:
        """How many elements the parser gives at least."""
        return 0 if self._spec is None else self._spec.fewest

    @property
    def most(self) -> int | None:
        """How many elements the parser gives at most."""
        return None if self._spec is None else self._spec.most

    @property
    def can_end(self) -> bool:
        """As the parser's `on_failure` says."""
        return self._spec is not None and self._spec.ends
