"""A record: what a parser reads as several named fields."""

from collections.abc import Iterator, Mapping

Field = str | tuple[str, ...]


class Record(Mapping[str, Field]):
    """Texts and lists of texts by name, in the order of the parser's fields. Never changes."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __hash__(self) -> int:
        return hash(frozenset(self._fields.items()))

    def __repr__(self) -> str:
        return f"Record({self._fields!r})"

    def plain(self) -> dict[str, str | list[str]]:
        """As JSON has it."""
        return {k: v if isinstance(v, str) else list(v) for k, v in self._fields.items()}
