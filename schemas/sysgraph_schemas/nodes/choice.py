"""`kind: choice`."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..decoding import Decoding, Temperature
from ..spec import NotBlank, refuse
from .base import Computed
from .prompted import Prompted


class ChoiceNode(Computed, Prompted):
    """One of several named options: a router. Other nodes run by it, with `when`."""

    noun: ClassVar[str] = "a choice node"
    gives: ClassVar[str] = "choice"

    kind: Annotated[Literal["choice"], Field(examples=["choice"])] = "choice"
    """One of several named options."""
    options: Annotated[
        list[NotBlank], Field(min_length=2, max_length=1000, examples=[["math", "code"]])
    ]
    """What there is to choose from. A classifier's labels are matched to them by name, or by
    position; a language model chooses by the likelihood of each option as its answer, over the sum
    of all options'."""

    temperature: Annotated[Temperature | None, Field(examples=[0])] = None
    """Temperature at which an option is drawn, 0 takes the likeliest; the model's when absent."""

    @property
    def decoding(self) -> Decoding:
        """Its own temperature, over the model's."""
        return Decoding.of(self)

    @property
    def choices(self) -> list[str]:
        """The values of the choice."""
        return self.options

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        seen: set[str] = set()
        for index, option in enumerate(self.options):
            if option in seen:
                raise refuse("SG105", "is given twice: options differ", at=("options", index))
            seen.add(option)
        return self
