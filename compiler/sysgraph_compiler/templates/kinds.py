"""The types of what templates see: `text`, `list[text]`, and those whose values have fields."""

from collections.abc import Mapping
from typing import Any

RECORD = "record"
"""The type of a value that is nothing but its fields, as a turn of a loop's history is."""
COPY = "sysgraph copy"
"""The name under which a template's scope has what the copy itself is called; none can write it."""


class Kind(str):
    """A type whose values have fields: `{{ turn.thought }}`, `{{ a.agent }}`.

    It equals the text that names it. Of a list, the fields are its items'.
    """

    fields: Mapping[str, str]

    def __new__(cls, name: str, fields: Mapping[str, str]) -> "Kind":
        """The type of this name, with the types of the fields."""
        made = super().__new__(cls, name)
        made.fields = fields
        return made


def record(fields: Mapping[str, str]) -> Kind:
    """The type of what has these fields, of these types, and no value of its own."""
    return Kind(RECORD, fields)


def labelled(kind: str, fields: Mapping[str, str]) -> Kind:
    """The type of a value of its own that has fields too: an item of a group."""
    return Kind(kind, fields)


def listed(kind: str) -> str:
    """The type of a list of such items."""
    return Kind(f"list[{kind}]", fields_of(kind) or {})


def is_list(kind: str) -> bool:
    """Whether the type is a list of something."""
    return kind.startswith("list[")


def element(kind: str) -> str:
    """The type of a list's items; a letter of a text is a text."""
    if not is_list(kind):
        return str(kind)
    # Of a list of lists, the fields are those of the lists.
    return Kind(kind[5:-1], kind.fields) if isinstance(kind, Kind) else kind[5:-1]


def fields_of(kind: str) -> Mapping[str, str] | None:
    """The fields of values of this type; None: it has none."""
    return kind.fields if isinstance(kind, Kind) and kind.fields else None


class Labelled:
    """What a value of a group has beside it: mixed into the text or the list that it is.

    Args (of `labelled_value`):
        fields: what `{{ a.agent }}` gives.
        place: by `for_each` key, what tells the copy from others.
    """

    fields: Mapping[str, Any]
    place: Mapping[str, Any]


class LabelledText(Labelled, str):
    """A text of a group."""


class LabelledList(Labelled, list[Any]):
    """A list of a group."""


class LabelledRecord(Labelled, dict[str, Any]):
    """A record of a group."""


def labelled_value(value: object, fields: Mapping[str, Any], place: Mapping[str, Any]) -> Labelled:
    """The value, a text, a list or a record, with its fields."""
    found: LabelledText | LabelledList | LabelledRecord
    if isinstance(value, Mapping):
        found = LabelledRecord(value)
    else:
        found = LabelledList(value) if isinstance(value, list) else LabelledText(value)
    found.fields, found.place = fields, place
    return found


class Record(dict[str, Any]):
    """A value that is nothing but its fields."""
