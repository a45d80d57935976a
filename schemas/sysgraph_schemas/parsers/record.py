"""A field of a record."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from ..spec import IDENTIFIER, Spec, refuse
from ..suggest import quoted
from .base import Options, distinct, in_order

FieldType = Literal["text", "list"]
FieldName = Annotated[str, Field(pattern=IDENTIFIER)]


class RecordField(Spec):
    """A field of what a json parser reads or a tool returns: a text, a list, or one of options."""

    noun: ClassVar[str] = "a field"

    type: Annotated[FieldType, Field(examples=["list"])] = "text"
    """`text`: a text or number, or with `options` a choice. `list`: a list of these."""
    options: Options | None = None
    """What the text has to be one of, in any case: the field is a choice, by which nodes run."""
    optional: Annotated[bool, Field(examples=[True])] = False
    """An object without it, or with null, has the empty text or list in its place."""
    min_items: Annotated[int, Field(ge=0, examples=[1])] = 0
    """Fewer items of a list are a failure."""
    max_items: Annotated[int | None, Field(ge=1, le=1000, examples=[3])] = None
    """More items of a list are a failure."""

    @property
    def value_type(self) -> str:
        """`text`, `list[text]` or `choice`."""
        return "list[text]" if self.type == "list" else "choice" if self.options else "text"

    @property
    def choices(self) -> list[str]:
        """`options`."""
        return self.options or []

    @property
    def fewest(self) -> int:
        """How many elements its list has at least."""
        return 0 if self.optional else self.min_items

    @property
    def most(self) -> int | None:
        """How many elements its list has at most."""
        return self.max_items

    @model_validator(mode="after")
    def _fits(self) -> Self:
        distinct(self.options)
        in_order(self.min_items, self.max_items)
        if self.options and self.type == "list":
            said = "a field is one of `options`, or a list, not both"
            raise refuse("SG107", said, at=("options",), help="remove one of them")
        if self.options and self.optional:
            help = "add an option for it, or remove `optional`"
            said = "an optional field is empty where it is missing, which is no option"
            raise refuse("SG107", said, at=("optional",), help=help)
        if self.type != "list" and (self.min_items or self.max_items):
            at = "min_items" if self.min_items else "max_items"
            raise refuse("SG107", f"`{at}` is for lists", at=(at,), help="add `type: list`")
        return self


def _written_out(value: Any) -> Any:
    if isinstance(value, str) and value not in get_args(FieldType):
        help = "it is one of: text, list, or a mapping such as `{options: [yes, no]}`"
        raise refuse("SG105", f"cannot be {quoted(value)}", help=help)
    return {"type": value} if isinstance(value, str) else value


FieldSpec = Annotated[
    RecordField, BeforeValidator(_written_out, json_schema_input_type=FieldType | RecordField)
]
"""A field, or its type alone: `query: text`."""


def misfit(parts: Mapping[str, RecordField], given: Mapping[str, str | list[str]]) -> str | None:
    """What is wrong with a record that stands in for one with these fields."""
    for key in given:
        if key not in parts:
            return f"has a field {quoted(key)} that the record has not"
    for key, part in parts.items():
        if key not in given:
            return f"lacks the field `{key}`"
        if why := _wrong(part, given[key]):
            return f"has a field `{key}` that {why}"
    return None


def _wrong(part: RecordField, value: str | list[str]) -> str | None:
    if isinstance(value, list) != (part.value_type == "list[text]"):
        return "is a list of texts" if isinstance(value, list) else "is a text"
    return "is none of its options" if part.choices and value not in part.choices else None
