"""The kinds that a section of graph files has: the built-in ones, and those of installed packages.

A package registers the class of its kind as an entry point of the kind's name. It is imported when
a graph names the kind, so that a broken package is told of where it is wanted, and nowhere else.
"""

from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, Union

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema, to_json

from .spec import Spec, refuse

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

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
        return Annotated[self._union, _ByKind(self)]

    @property
    def _union(self) -> Any:
        return Union[tuple(self.built_in.values())]  # noqa: UP007 - made of a table

    @cached_property
    def whole(self) -> TypeAdapter[Any]:
        """Reads one of any built-in kind."""
        reads: Any = Annotated[self._union, Field(discriminator="kind")]
        return TypeAdapter(reads)

    @cached_property
    def registered(self) -> "dict[str, tuple[EntryPoint, ...]]":
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


class _ByKind:
    """Reads one of a section as its kind says, and makes no reader of a kind that none is of.

    pydantic would make all of them at once, which takes longer than anything else in a command.
    """

    def __init__(self, kinds: Kinds[Any]) -> None:
        self._kinds = kinds
        self._readers: dict[str, TypeAdapter[Any]] = {}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._read,
            serialization=core_schema.simple_ser_schema("any"),  # a package's own keys as well
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(self._kinds.whole.core_schema)

    def _read(self, value: Any, info: core_schema.ValidationInfo) -> Any:
        kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
        reader = self._reader(kind) if isinstance(kind, str) else self._kinds.whole
        if info.mode == "json":  # where a tuple is written as a list
            return reader.validate_json(to_json(value))
        return reader.validate_python(value)

    def _reader(self, kind: str) -> TypeAdapter[Any]:
        if kind not in self._readers:
            found = self._kinds.find(kind)
            if found is None:
                return self._kinds.whole  # which says what the kinds are
            reads: Any = Annotated[found, _Labelled(kind)]
            self._readers[kind] = TypeAdapter(reads)
        return self._readers[kind]


class _Labelled:
    """Reads a kind as the only member of a union: its errors say the kind."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.tagged_union_schema({self._kind: handler(source)}, "kind")


def _broken(said: str, help: str = "mend or uninstall the package") -> PydanticCustomError:
    return refuse("SG104", said, at=("kind",), help=help)


@cache
def _installed() -> "tuple[EntryPoint, ...]":
    """What packages register for any section; finding out takes some 30 ms."""
    from importlib.metadata import entry_points

    return tuple(point for group in _GROUPS for point in entry_points(group=group))


def kind_of(member: type[Spec]) -> str:
    """The `kind` that a class is for."""
    field = member.model_fields.get("kind")
    return str(field.default) if field else ""


def package_of(point: "EntryPoint") -> str:
    """Who registers an entry point."""
    return f"the package {point.dist.name!r}" if point.dist else f"{point.value}"


def _named(base: type[Spec]) -> str:
    return f"{base.__module__}.{base.__name__}"
