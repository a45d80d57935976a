"""One complaint of pydantic, with everything needed to say it in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..diagnostics import Path, Span, dotted
from ..located import Places
from ..shape import Shape


@dataclass(frozen=True, slots=True)
class Fault:
    """`type` and `context` are pydantic's; `value` is what the file has there."""

    type: str
    context: Mapping[str, object]
    shape: Shape
    value: object
    places: Places

    @property
    def path(self) -> Path:
        """Where in the graph."""
        return self.shape.path

    @property
    def name(self) -> str:
        """The last key on the path, with the index when it is an item: `probs[1]`."""
        last = max((i for i, step in enumerate(self.path) if isinstance(step, str)), default=0)
        return dotted(self.path[last:])

    def key_span(self) -> Span | None:
        """The key's place."""
        return self.places.key(self.path)

    def value_span(self) -> Span | None:
        """The value's place."""
        return self.places.value(self.path)
