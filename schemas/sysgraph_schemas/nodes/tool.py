"""`kind: tool`."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..failure import Fallible
from ..parsers import RecordField
from ..parsers.record import FieldName, FieldSpec, misfit
from ..spec import NotBlank, refuse
from ..suggest import listed
from .base import Computed, Key

Scalar = str | int | float | bool
Setting = Scalar | list[Scalar]
Seconds = Annotated[float, Field(gt=0, le=86_400, strict=False, examples=[10])]


class ToolNode(Computed, Fallible):
    """What a registered function computes from its parents. Deterministic: probability 1.

    With the same `for_each` as a parent, each copy reads its own.
    """

    noun: ClassVar[str] = "a tool node"
    is_deterministic: ClassVar[bool] = True

    kind: Annotated[Literal["tool"], Field(examples=["tool"])] = "tool"
    """What a registered function computes."""
    tool: Annotated[NotBlank, Field(examples=["calculate"])]
    """A name in the entry-point group `sysgraph.tools`."""
    returns: Annotated[Literal["text", "list", "choice", "record"], Field(examples=["list"])] = (
        "text"
    )
    """What its value is: a text, a list of texts, one of `options`, which can gate, or a record of
    `fields`."""
    max_items: Annotated[int | None, Field(ge=1, le=1000, examples=[3])] = None
    """Of a list, for `returns: list`: more items are a failure. `for_each` needs it."""
    min_items: Annotated[int, Field(ge=0, le=1000, examples=[1])] = 0
    """Of a list: fewer items are a failure."""
    options: Annotated[
        list[NotBlank] | None, Field(min_length=1, max_length=1000, examples=[["yes", "no"]])
    ] = None
    """What there is to choose from, for `returns: choice`."""
    fields: Annotated[
        dict[FieldName, FieldSpec] | None,
        Field(min_length=1, max_length=100, examples=[{"title": "text", "lines": "list"}]),
    ] = None
    """The keys of what it returns and what each holds, for `returns: record`. Each is used as
    `node.field` in prompts, edges, gates, arguments and outputs."""
    args: Annotated[dict[Key, str] | None, Field(examples=[{"query": "question"}])] = None
    """The parent that each argument is given; absent: every parent, under its own name."""
    settings: Annotated[dict[Key, Setting] | None, Field(examples=[{"top_k": 3}])] = None
    """Arguments that are constants, lists among them. The path of a file or folder is relative to
    the graph file's folder, and does not lead out of it."""
    timeout: Annotated[Seconds | None, Field(examples=[10])] = None
    """Seconds that one call may take; one that takes longer has no value (see `on_failure`)."""

    @property
    def value_type(self) -> str:
        """As it `returns`."""
        return "list[text]" if self.returns == "list" else self.returns

    @property
    def reader(self) -> str:
        """The node, for messages."""
        return f"the node of the tool `{self.tool}`"

    @property
    def choices(self) -> list[str]:
        """`options`."""
        return self.options or []

    @property
    def parts(self) -> Mapping[str, RecordField]:
        """`fields`."""
        return self.fields or {}

    @property
    def most(self) -> int | None:
        """`max_items`."""
        return self.max_items

    @property
    def fewest(self) -> int:
        """`min_items`, or what `default` has."""
        has = len(self.default) if isinstance(self.default, list) else self.min_items
        return min(self.min_items, has)

    @property
    def can_end(self) -> bool:
        """As `on_failure` says."""
        return self.ends

    @property
    def constants(self) -> Mapping[str, object]:
        """`settings`."""
        return self.settings or {}

    @property
    def tool_name(self) -> str:
        """The registered tool."""
        return self.tool

    @property
    def arguments(self) -> dict[str, str]:
        """The parents that the arguments stand for."""
        return self.args or {}

    @model_validator(mode="after")
    def _arguments_fit(self) -> Self:
        for name in self.settings or {}:
            if name in (self.args or {}):
                said = f"the argument `{name}` is both in `args` and in `settings`"
                raise refuse("SG107", said, at=("settings", name), help="remove one of them")
        return self

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        needs = (
            ("max_items", "list"),
            ("min_items", "list"),
            ("options", "choice"),
            ("fields", "record"),
        )
        for key, returned in needs:
            if getattr(self, key) and self.returns != returned:
                said = f"`{key}` is for `returns: {returned}`"
                help = f"add `returns: {returned}`, or remove `{key}`"
                raise refuse("SG107", said, at=(key,), help=help)
        if self.returns == "choice" and self.options is None:
            help = "add for example `options: [yes, no]`"
            raise refuse("SG107", "`returns: choice` needs `options`", at=("returns",), help=help)
        if self.returns == "record" and self.fields is None:
            help = "add for example `fields: {title: text, lines: list}`"
            raise refuse("SG107", "`returns: record` needs `fields`", at=("returns",), help=help)
        if self.max_items is not None and self.min_items > self.max_items:
            said = f"`min_items: {self.min_items}` is more than `max_items: {self.max_items}`"
            raise refuse("SG107", said, at=("min_items",))
        options = self.options or []
        for index, option in enumerate(options):
            if option in options[:index]:
                raise refuse("SG107", "this option is there already", at=("options", index))
        return self

    @model_validator(mode="after")
    def _default_is_such_a_value(self) -> Self:
        wanted = {"list": list, "record": dict}.get(self.returns, str)
        if self.default is not None and not isinstance(self.default, wanted):
            said = f"the tool returns a {self.returns}, and `default` is of another type"
            raise refuse(
                "SG107", said, at=("default",), help="write it as the tool would return it"
            )
        if isinstance(self.default, dict) and (why := misfit(self.parts, self.default)):
            help = f"it has the fields of the record: {listed(self.parts)}"
            raise refuse("SG107", f"`default` {why}", at=("default",), help=help)
        if self.options and self.default is not None and self.default not in self.options:
            said = "`default` is none of the `options`"
            raise refuse("SG107", said, at=("default",), help="write one of them")
        if isinstance(self.default, list) and len(self.default) > (self.max_items or 1000):
            said = f"`default` has more than `max_items: {self.max_items}` texts"
            raise refuse("SG107", said, at=("default",), help="write fewer")
        return self
