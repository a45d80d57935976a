"""What every kind of parser answers, so that nothing but its own file knows the kind."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ..failure import Fallible
from ..spec import NotBlank, refuse

if TYPE_CHECKING:
    from .record import RecordField

Options = Annotated[
    list[NotBlank], Field(min_length=1, max_length=1000, examples=[["ok", "wrong"]])
]


def same_option(text: str) -> str:
    """Equal for texts that name the same option: neither case nor white space counts."""
    return " ".join(text.split()).casefold()


def distinct(options: list[str] | None) -> None:
    """Refuses options of which two are the same."""
    seen: set[str] = set()
    for index, option in enumerate(options or ()):
        if same_option(option) in seen:
            said = "is given twice: options differ by more than case and space"
            raise refuse("SG105", said, at=("options", index))
        seen.add(same_option(option))


class Parser(Fallible):
    """What the compiler asks of every kind of parser; a kind answers what differs."""

    kind: str
    """How it reads a text."""

    @property
    def value_type(self) -> str:
        """The type of what it gives: `text`, `list[text]`, `choice` or `record`."""
        return "text"

    @property
    def choices(self) -> list[str]:
        """The options that it gives one of; empty for all that gives no choice."""
        return []

    @property
    def parts(self) -> "Mapping[str, RecordField]":
        """The fields of a record, by name; empty for all that gives none."""
        return {}

    @property
    def bounds(self) -> tuple[int, int | None]:
        """How many items a list that is read has at least, and at most; None: any number."""
        return 0, None

    @property
    def fewest(self) -> int:
        """How many elements its list has at least, the one that stands in for it included."""
        at_least = self.bounds[0]
        return min(at_least, len(self.default)) if isinstance(self.default, list) else at_least

    @property
    def most(self) -> int | None:
        """How many elements its list has at most; None: any number, or it gives no list."""
        return self.bounds[1]

    @property
    def expression(self) -> str | None:
        """The regular expression under `pattern`, for a parser that has one."""
        return None

    @property
    def can_fail(self) -> bool:
        """Whether some text makes it fail."""
        return True


def in_order(fewest: int, most: int | None) -> None:
    """Refuses bounds between which no list is."""
    if most is not None and fewest > most:
        said = f"`min_items: {fewest}` is more than `max_items: {most}`"
        raise refuse("SG107", said, at=("min_items",))
