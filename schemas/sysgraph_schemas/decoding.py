"""How a text or an option is drawn from a model: what the model says, and a node over it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from .described import Described

MaxNewTokens = Annotated[int, Field(ge=1, le=1_000_000)]
Temperature = Annotated[float, Field(ge=0)]
TopP = Annotated[float, Field(gt=0, le=1)]
Stop = list[Annotated[str, Field(min_length=1)]]


@dataclass(frozen=True)
class Decoding(Described):
    """Settings of drawing; what is null is left to the model, or to its library."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    max_new_tokens: int | None = None
    """Longest text, in tokens."""
    temperature: float | None = None
    """Of sampling; 0 takes the likeliest."""
    top_p: float | None = None
    """Nucleus sampling: the smallest set of tokens with this much probability."""
    stop: tuple[str, ...] | None = None
    """A text ends before the first of these strings."""

    @classmethod
    def of(cls, spec: object) -> Self:
        """Those that a model or a node has as keys of its own."""
        values = {name: getattr(spec, name, None) for name in _NAMES}
        stop = values.pop("stop")
        return cls(**values, stop=None if stop is None else tuple(stop))

    @property
    def given(self) -> Mapping[str, object]:
        """Those that are not null, by name."""
        values = ((name, getattr(self, name)) for name in _NAMES)
        return {name: value for name, value in values if value is not None}

    def over(self, other: "Decoding") -> "Decoding":
        """These settings, and `other`'s where these are null: a node's over its model's."""
        given = self.given
        return Decoding(**{**other.given, **given}) if given else other  # type: ignore[arg-type]

    @property
    def warp(self) -> Mapping[str, float]:
        """Settings under which draws are not from the model's likelihood, with their values."""
        settings = {"temperature": self.temperature, "top_p": self.top_p}
        return {name: at for name, at in settings.items() if at is not None and at != 1}

    @property
    def is_greedy(self) -> bool:
        """Whether all draws given one context are the same."""
        return self.temperature == 0

    def __str__(self) -> str:
        """`temperature 0.2, stop "END"`, for people; empty where nothing is set."""
        return ", ".join(f"{name} {_said(value)}" for name, value in self.given.items())


_NAMES = tuple(field.name for field in fields(Decoding))


def _said(value: object) -> str:
    if not isinstance(value, tuple):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return " or ".join(map(_quoted, value)) or "nothing"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
