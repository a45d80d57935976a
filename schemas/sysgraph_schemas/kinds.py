"""The kinds that a section of graph files has: the built-in ones, and those of installed packages.

A package registers the class of its kind as an entry point of the kind's name. It is imported when
a graph names the kind, so that a broken package is told of where it is wanted, and nowhere else.
"""

from collections.abc import Callable
from functools import cache, cached_property
from importlib.metadata import EntryPoint
from typing import Annotated, Any, Generic, TypeVar, Union

from pydantic import Field, SerializeAsAny, TypeAdapter, WrapValidator
from pydantic_core import PydanticCustomError

from .spec import Spec, refuse

_GROUPS = ("sysgraph.models", "sysgraph.nodes", "sysgraph.parsers")
S = TypeVar("S", bound=Spec)


class Kinds(Generic[S]):
    """The classes of a section, by `kind`.

    Args:
        what: one of the section: `model`.
        group: the entry-point group in which packages register theirs.
        base: what all of them extend.
        built_in: those that the language itself has.
    """

    def __init__(self, what: str, group: str, base: type[S], built_in: tuple[type[S], ...]) -> None:
        self.group = group
        self._what, self._base = what, base
        self.built_in = {kind_of(member): member for member in built_in}

    @property
    def annotation(self) -> Any:
        """What pydantic reads one of the section as, by its `kind`."""
        union: Any = Union[tuple(self.built_in.values())]  # noqa: UP007 - made of a table
        as_it_is: Any = SerializeAsAny  # a package's own keys are written as well
        reads = Field(discriminator="kind"), WrapValidator(self._read)
        return Annotated[union, *reads, as_it_is()]

    @cached_property
    def registered(self) -> dict[str, tuple[EntryPoint, ...]]:
        """What installed packages register, by kind; several where they clash."""
        found: dict[str, tuple[EntryPoint, ...]] = {}
        for point in _installed():
            if point.group == self.group and point.name not in self.built_in:
                found[point.name] = (*found.get(point.name, ()), point)
        return found

    def names(self) -> list[str]:
        """All kinds, the built-in ones first."""
        return [*self.built_in, *self.registered]

    def find(self, kind: str) -> type[S] | None:
        """The class of a kind; None where nobody has it.

        Raises:
            PydanticCustomError: SG104, the package that has it is broken: says which, and why.
        """
        if kind in self.built_in:
            return self.built_in[kind]
        if kind not in self.registered:
            return None
        said = f"the kind `{kind}` of {self._what}s"
        points = self.registered[kind]
        if len(points) > 1:
            several = " and ".join(sorted(map(package_of, points)))
            raise _broken(f"{said} is registered by {several}", "uninstall one of them")
        (point,) = points
        said += f" is registered by {package_of(point)} as {point.value}, which"
        try:
            found = point.load()
        except Exception as error:  # a package may do anything when it is imported
            told = f"{said} cannot be loaded: {type(error).__name__}: {error}"
            raise _broken(told) from error
        if not isinstance(found, type) or not issubclass(found, self._base):
            raise _broken(f"{said} is no {_named(self._base)}: {found!r:.60}")
        if kind_of(found) != kind:
            raise _broken(f"{said} calls itself {kind_of(found)!r}")
        return found

    def _read(self, value: Any, handler: Callable[[Any], Any]) -> Any:
        kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        if isinstance(kind, str) and kind not in self.built_in:
            found = self.find(kind)
            if found is not None:
                return _adapter(found, *self.built_in.values()).validate_python(value)
        return handler(value)


def _broken(said: str, help: str = "mend or uninstall the package") -> PydanticCustomError:
    return refuse("SG104", said, at=("kind",), help=help)


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """What packages register for any section; finding out takes some 30 ms."""
    from importlib.metadata import entry_points

    return tuple(point for group in _GROUPS for point in entry_points(group=group))


@cache
def _adapter(*members: type[Spec]) -> TypeAdapter[Any]:
    """Reads one of several by `kind`; its errors say the kind, as a file's other parts do."""
    union: Any = Union[members]  # noqa: UP007 - made of a table
    return TypeAdapter(Annotated[union, Field(discriminator="kind")])


def kind_of(member: type[Spec]) -> str:
    """The `kind` that a class is for."""
    field = member.model_fields.get("kind")
    return str(field.default) if field else ""


def package_of(point: EntryPoint) -> str:
    """Who registers an entry point."""
    return f"the package {point.dist.name!r}" if point.dist else f"{point.value}"


def _named(base: type[Spec]) -> str:
    return f"{base.__module__}.{base.__name__}"
