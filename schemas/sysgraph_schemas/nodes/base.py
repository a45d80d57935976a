"""What every kind of node answers, so that nothing but its own file knows the kind."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from ..decoding import Decoding
from ..spec import DOTTED, IDENTIFIER, Spec
from .messages import Part, Path

if TYPE_CHECKING:
    from ..parsers import Parser, RecordField

Item = str | int | float
Key = Annotated[str, Field(pattern=IDENTIFIER)]
ForEach = Annotated[
    dict[Key, list[Item] | str],
    Field(min_length=1, examples=[{"agent": ["ada", "bo"]}, {"caption": "captions"}]),
]
Dotted = Annotated[str, Field(pattern=DOTTED)]
When = Annotated[
    dict[Dotted, str | list[str]],
    Field(min_length=1, examples=[{"route": "math"}, {"route": ["math", "code"]}]),
]


class Node(Spec):
    """What the compiler asks of every kind of node; a kind answers what differs."""

    is_input: ClassVar[bool] = False
    """Whether the user gives the value."""
    is_deterministic: ClassVar[bool] = False
    """Whether the value follows from the parents: its term is 0."""
    takes_any: ClassVar[bool] = False
    """Whether one of the parents is enough for a value: the others may not have run."""
    gives: ClassVar[str] = "text"
    """The type of its value where that follows from its kind: `text`, `choice`, `image`."""

    kind: str
    """How its value comes about."""

    @property
    def value_type(self) -> str:
        """The type of its value: what its kind or its parser gives; `any` where none knows."""
        return self.gives

    @property
    def copies(self) -> dict[str, list[Item]]:
        """The `for_each` keys with listed items; empty for a node that is not copied by a list."""
        return {}

    @property
    def spread(self) -> dict[str, str]:
        """The `for_each` keys that take a list's elements, with the node that gives the list."""
        return {}

    @property
    def each(self) -> tuple[str, ...]:
        """The `for_each` keys, of `copies` and `spread`, in the order of the file."""
        return ()

    @property
    def gates(self) -> dict[str, list[str]]:
        """The options under which it runs, by choice node; empty for a node that always runs."""
        return {}

    def is_single(self, gate: str) -> bool:
        """Whether the option of a gate is written as one, not in a list."""
        del gate
        return False

    @property
    def called(self) -> dict[str, str]:
        """What its templates call nodes that have another name."""
        return {}

    @property
    def models_called(self) -> dict[str, str]:
        """What the template of its model's name calls models that have another name."""
        return {}

    @property
    def fewest(self) -> int:
        """How many elements its list has at least."""
        return 0

    @property
    def most(self) -> int | None:
        """How many elements its list has at most; None: any number, or it gives no list."""
        return None

    @property
    def reader(self) -> str | None:
        """What reads its value from a text, for messages; None for all else."""
        return None

    @property
    def can_end(self) -> bool:
        """Whether a trace may end here, for want of a value."""
        return False

    @property
    def parts(self) -> "Mapping[str, RecordField]":
        """The fields of a record, by name; empty for all that gives none."""
        return {}

    @property
    def part(self) -> tuple[str, str] | None:
        """The record and the field of it that this is, for a node that is one."""
        return None

    def bound(self, parsers: "Mapping[str, Parser]") -> "Node":
        """The node, which knows what a parser that it names says of its value."""
        del parsers
        return self

    @property
    def model_template(self) -> str | None:
        """The template that names the model, for a node that has one."""
        return None

    @property
    def parser_name(self) -> str | None:
        """The parser, for a node that has one."""
        return None

    @property
    def tool_name(self) -> str | None:
        """The registered tool, for a node that has one."""
        return None

    @property
    def arguments(self) -> dict[str, str]:
        """The parents that a tool's arguments stand for; empty: every parent, under its name."""
        return {}

    @property
    def constants(self) -> Mapping[str, object]:
        """A tool's arguments that are constants."""
        return {}

    @property
    def choices(self) -> list[str]:
        """The values of a choice."""
        return []

    @property
    def decoding(self) -> Decoding:
        """How its value is drawn, where it says so; the rest is its model's."""
        return Decoding()

    @property
    def templates(self) -> dict[Path, str]:
        """The templates over the parents, by where they stand in the node."""
        return {}

    @property
    def is_prompted(self) -> bool:
        """Whether a prompt is made of its parents."""
        return bool(self.templates or self.sources)

    @property
    def plain_prompt(self) -> str | None:
        """The template of its prompt, for a node whose prompt is plain text."""
        return None

    @property
    def message_parts(self) -> tuple[Part, ...]:
        """What its chat messages are made of, for a node that has some."""
        return ()

    @property
    def local_keys(self) -> dict[Path, tuple[str, str]]:
        """The names that a template alone may use, and the lists whose elements they stand for."""
        return {
            ("messages", number, *path): part.key
            for number, part in enumerate(self.message_parts)
            for path in part.templates
            if part.key is not None
        }

    @property
    def sources(self) -> dict[Path, str]:
        """What its messages are made of besides templates, by where that stands in the node."""
        return {
            ("messages", number, *path): source
            for number, part in enumerate(self.message_parts)
            for path, source in part.sources.items()
        }

    @property
    def roles(self) -> dict[Path, str]:
        """Who speaks in the chat messages, by where that stands, so far as the graph says it."""
        return {
            ("messages", number, *path): role
            for number, part in enumerate(self.message_parts)
            for path, role in part.roles.items()
        }


class Computed(Node):
    """A node that is generated: it may be copied, and gated by a choice."""

    for_each: Annotated[ForEach | None, Field(examples=[{"agent": ["ada", "bo"]}])] = None
    """Copies the node once per listed item (per combination, with several keys), or once per
    element of a list that a parent gives: `caption: captions`."""
    when: Annotated[When | None, Field(examples=[{"route": "math"}])] = None
    """Runs only where these choices came out so; otherwise there is no value and no term."""
    names: Annotated[dict[Key, str] | None, Field(examples=[{"question": "task"}])] = None
    """What its templates call nodes that have another name: in a graph with parts, the part's
    inputs. A node of a part calls the others of the part by their names in it."""

    @property
    def called(self) -> dict[str, str]:
        """`names`."""
        return self.names or {}

    @property
    def copies(self) -> dict[str, list[Item]]:
        """The `for_each` keys with listed items."""
        each = self.for_each
        return {k: items for k, items in each.items() if isinstance(items, list)} if each else {}

    @property
    def spread(self) -> dict[str, str]:
        """The `for_each` keys that take a list's elements, with the node that gives the list."""
        each = self.for_each
        return {key: name for key, name in each.items() if isinstance(name, str)} if each else {}

    @property
    def each(self) -> tuple[str, ...]:
        """The `for_each` keys in the order of the file."""
        return tuple(self.for_each or ())

    @property
    def gates(self) -> dict[str, list[str]]:
        """The options under which it runs, by choice node."""
        when = self.when
        return {n: [at] if isinstance(at, str) else at for n, at in when.items()} if when else {}

    def is_single(self, gate: str) -> bool:
        """Whether the option of a gate is written as one, not in a list."""
        return isinstance((self.when or {}).get(gate), str)
