"""`kind: classifier`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Gives
from .transformer import Transformer


class Classifier(Transformer):
    """A sequence classifier, loaded by transformers: the likelihood of each option of a choice."""

    noun: ClassVar[str] = "a classifier model"
    gives: ClassVar[tuple[Gives, ...]] = ("choice",)

    kind: Annotated[Literal["classifier"], Field(examples=["classifier"])] = "classifier"
    """A sequence classifier."""
