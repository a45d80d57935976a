"""`kind: table`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..spec import refuse
from .base import Gives, Model


class Table(Model):
    """A tabular categorical p(value | context): enumerable, for exact checks and demos."""

    noun: ClassVar[str] = "a table model"
    gives: ClassVar[tuple[Gives, ...]] = ("text", "choice")
    for_training: ClassVar[tuple[str, ...]] = ("learning_rate",)

    kind: Annotated[Literal["table"], Field(examples=["table"])] = "table"
    """A table of probabilities."""
    values: Annotated[list[str], Field(min_length=1, max_length=10_000, examples=[["yes", "no"]])]
    """Every text the model can say."""
    contexts: Annotated[list[str] | None, Field(min_length=1, examples=[["a", "b"]])] = None
    """The rendered prompts that have a row of their own; absent: one row for every prompt."""
    probs: Annotated[list[list[float]] | None, Field(examples=[[[0.9, 0.1], [0.2, 0.8]]])] = None
    """A row per context, an entry per value, each row summing to 1; absent: uniform."""
    train: Annotated[Literal["full", "frozen"], Field(examples=["full"])] = "full"
    """`full` trains the logits, `frozen` nothing."""
    learning_rate: Annotated[float | None, Field(gt=0, examples=[1e-2])] = None
    """This model's learning rate; `fit.learning_rate` when absent."""

    @property
    def training(self) -> str:
        """`train`."""
        return self.train

    @property
    def step_size(self) -> float | None:
        """`learning_rate`."""
        return self.learning_rate

    @property
    def summary(self) -> str:
        """How many values it has."""
        return f"{len(self.values)} value{'s' if len(self.values) > 1 else ''}"

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Its values."""
        return tuple(self.values)

    @model_validator(mode="after")
    def _probs_fit(self) -> Self:
        for name, items in (("values", self.values), ("contexts", self.contexts or [])):
            seen: set[str] = set()
            for index, item in enumerate(items):
                if item in seen:
                    raise refuse("SG108", f"`{name}` has {item!r} twice", at=(name, index))
                seen.add(item)
        rows = len(self.contexts) if self.contexts else 1
        if self.probs is not None and len(self.probs) != rows:
            wanted = "a row per context" if self.contexts else "one row, as there are no `contexts`"
            said = f"`probs` has {len(self.probs)} row(s) where {rows} are wanted: {wanted}"
            raise refuse("SG108", said, at=("probs",))
        for index, row in enumerate(self.probs or []):
            _check_row(row, len(self.values), ("probs", index))
        return self


def _check_row(row: list[float], size: int, at: tuple[str | int, ...]) -> None:
    if len(row) != size:
        said = f"this row has {len(row)} entries where {size} are wanted: one per value"
        raise refuse("SG108", said, at=at)
    if any(p < 0 for p in row):
        raise refuse(
            "SG108", "a probability is below 0", at=(*at, [p < 0 for p in row].index(True))
        )
    if abs(sum(row) - 1) > 1e-6:
        said = f"these probabilities sum to {sum(row):.6g}, not to 1"
        raise refuse("SG108", said, at=at)
