"""`kind: tool`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..failure import Fallible
from ..spec import NotBlank, refuse
from .base import Computed, Key

Setting = str | int | float | bool


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
    returns: Annotated[Literal["text", "list"], Field(examples=["list"])] = "text"
    """What its value is: a text, or a list of texts."""
    args: Annotated[dict[Key, str] | None, Field(examples=[{"query": "question"}])] = None
    """The parent that each argument is given; absent: every parent, under its own name."""
    settings: Annotated[dict[Key, Setting] | None, Field(examples=[{"top_k": 3}])] = None
    """Arguments that are constants."""

    @property
    def value_type(self) -> str:
        """As it `returns`."""
        return "list[text]" if self.returns == "list" else self.gives

    @property
    def can_end(self) -> bool:
        """As `on_failure` says."""
        return self.ends

    @property
    def constants(self) -> dict[str, Setting]:
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
        wanted = list if self.returns == "list" else str
        if self.default is not None and not isinstance(self.default, wanted):
            said = f"the tool returns a {self.returns}, and `default` is of another type"
            raise refuse(
                "SG107", said, at=("default",), help="write it as the tool would return it"
            )
        return self
