"""The base class of everything a graph file can hold."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Spec(BaseModel):
    """One section of a graph file: immutable data, no unknown keys, nothing converted silently."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    noun: ClassVar[str]
    """What a message calls it: `an lm node`."""


def refuse(
    code: str, message: str, *, at: tuple[str | int, ...] = (), help: str | None = None
) -> PydanticCustomError:
    """What a validator raises: the problem's code (`SG107`) and the key that it is about."""
    context = {"message": message, "at": at, "help": help}
    return PydanticCustomError(code, "{message}", context)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise refuse("SG105", "must not be empty")
    return text


NotBlank = Annotated[str, AfterValidator(_not_blank)]
"""Text that is more than white space."""
