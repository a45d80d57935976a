"""The base class of everything a graph file can hold."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from .described import Described

IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_]*$"
DOTTED = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
"""A name, or one of a part's, after the part's own: `solve.draft`."""


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _Metaclass
else:
    _Metaclass = type(BaseModel)


class _Checked(_Metaclass):
    """Calls `LMNode(...)` in Python; what is wrong with it is told as about a file.

    pydantic makes the parts of a graph without calling their class, so only what Python code
    itself calls comes through here.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except ValidationError as error:
            from .validate import in_python

            raise in_python(cast("type[Spec]", cls), error) from None


class Spec(Described, BaseModel, metaclass=_Checked):
    """One section of a graph file: immutable data, no unknown keys, nothing converted silently.

    Written in Python with something wrong, it raises GraphError, as reading a file does.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        defer_build=True,
        validate_default=True,
    )

    noun: ClassVar[str]
    """What a message calls it: `an lm node`."""


def keys_of(section: type[Spec]) -> dict[str, FieldInfo]:
    """The keys of a section as a file has them, with what pydantic knows of each."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


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


NotBlank = Annotated[str, AfterValidator(_not_blank), Field(json_schema_extra={"pattern": r"\S"})]
"""Text that is more than white space."""
