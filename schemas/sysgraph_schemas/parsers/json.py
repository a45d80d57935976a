"""`kind: json`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..spec import refuse
from .extract import Extract
from .record import FieldName, FieldSpec, RecordField


class Json(Extract):
    """A field of a JSON object in the text: a string or number, or with `many` a list of these.

    Or with `fields` several of them, as a record. The first object that has what is wanted is
    read, whatever stands around it: a code fence, prose, or other objects.
    """

    noun: ClassVar[str] = "a json parser"

    kind: Annotated[Literal["json"], Field(examples=["json"])] = "json"
    """Reads a JSON object."""
    field: Annotated[str | None, Field(min_length=1, examples=["captions"])] = None
    """The object's key."""
    fields: Annotated[
        dict[FieldName, FieldSpec] | None,
        Field(
            min_length=1,
            max_length=100,
            examples=[{"tool": {"options": ["search", "calculate"]}, "query": "text"}],
        ),
    ] = None
    """The object's keys and what each holds, in place of `field`: gives a record. Each is used as
    `node.field` in prompts, edges, gates, arguments and outputs."""
    many: Annotated[bool, Field(examples=[True])] = False
    """The field is a list of strings or numbers; gives list[text]."""
    read: Annotated[Literal["lenient", "strict"], Field(examples=["strict"])] = "lenient"
    """`lenient`: the first object in the text that has what is wanted. `strict`: the whole text is
    one object, and all else a failure."""

    @property
    def value_type(self) -> str:
        """A record, or as `many` and `options` say."""
        return "record" if self.fields else super().value_type

    @property
    def parts(self) -> Mapping[str, RecordField]:
        """`fields`."""
        return self.fields or {}

    @property
    def can_fail(self) -> bool:
        """Whether some text makes this parser fail: text that is no JSON does."""
        return True

    @model_validator(mode="after")
    def _one_reading(self) -> Self:
        if self.field is None and self.fields is None:
            help = "add for example `field: answer`, or `fields: {tool: text, query: text}`"
            raise refuse("SG102", "a json parser needs `field` or `fields`", help=help)
        if self.fields is None:
            return self
        single: dict[str, object] = {
            "field": self.field,
            "many": self.many,
            "options": self.options,
        }
        single |= {"min_items": self.min_items, "max_items": self.max_items}
        for key, value in single.items():
            if value:
                said = f"`{key}` is for a single `field`, and the parser has `fields`"
                raise refuse("SG107", said, at=(key,), help="say it of one of the fields")
        return self
