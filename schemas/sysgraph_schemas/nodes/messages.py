"""What chat prompts are made of: messages, written out or made of a list."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Discriminator, Field, Tag

from ..spec import IDENTIFIER, Spec

Path = tuple[str | int, ...]
Name = Annotated[str, Field(pattern=IDENTIFIER)]
Role = Literal["system", "user", "assistant"]


class Turn(NamedTuple):
    """One message of a prompt before its template is rendered."""

    role: str
    content: str
    names: Mapping[str, Any]
    """What its template knows besides the names of its node."""
    is_template: bool = True


class Part(Spec):
    """What stands for messages in a prompt; each kind of part answers what differs."""

    @property
    def templates(self) -> dict[Path, str]:
        """Its templates, by where they stand in it."""
        return {}

    @property
    def key(self) -> tuple[str, str] | None:
        """A name that its templates alone may use, and the list whose elements it stands for."""
        return None

    @property
    def sources(self) -> dict[Path, str]:
        """What it is made of, besides templates, by where that stands in it."""
        return {}

    @property
    def roles(self) -> dict[Path, str]:
        """Who speaks, by where that stands; of what data gives, nothing is known."""
        return {}

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """Who says what, for people."""
        return ()

    def turns(self, scope: Mapping[str, Any]) -> Iterator[Turn]:
        """The messages that it stands for, where names stand for these values."""
        del scope
        return iter(())


class Message(Part):
    """One turn of a chat prompt."""

    noun: ClassVar[str] = "a message"

    role: Annotated[Role, Field(examples=["user"])]
    """Who speaks."""
    content: Annotated[str, Field(examples=["{{ question }}"])]
    """A Jinja2 template."""

    @property
    def templates(self) -> dict[Path, str]:
        """Its content."""
        return {("content",): self.content}

    @property
    def roles(self) -> dict[Path, str]:
        """Its role."""
        return {("role",): self.role}

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """Itself."""
        return ((self.role, self.content),)

    def turns(self, scope: Mapping[str, Any]) -> Iterator[Turn]:
        """One."""
        del scope
        yield Turn(self.role, self.content, {})


class MessagesForEach(Part):
    """Messages for each element of a list: copies of a node, what a parser or a tool gives."""

    noun: ClassVar[str] = "messages for each element"

    for_each: Annotated[
        dict[Name, str], Field(min_length=1, max_length=1, examples=[{"argument": "arguments"}])
    ]
    """The element's name in these messages, and the list that it is of."""
    messages: Annotated[
        list[Message],
        Field(min_length=1, examples=[[{"role": "user", "content": "{{ argument }}"}]]),
    ]
    """What stands there for each."""

    @property
    def key(self) -> tuple[str, str]:
        """The element's name, and its list."""
        ((name, source),) = self.for_each.items()
        return name, source

    @property
    def templates(self) -> dict[Path, str]:
        """Those of its messages."""
        return {
            ("messages", number, *path): text
            for number, message in enumerate(self.messages)
            for path, text in message.templates.items()
        }

    @property
    def sources(self) -> dict[Path, str]:
        """The list."""
        return {("for_each", name): source for name, source in self.for_each.items()}

    @property
    def roles(self) -> dict[Path, str]:
        """Those of its messages, once."""
        return {("messages", i, "role"): message.role for i, message in enumerate(self.messages)}

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """Its messages, once."""
        name, source = self.key
        each = f"for each {name} of {source}"
        return tuple((f"{message.role}, {each}", message.content) for message in self.messages)

    def turns(self, scope: Mapping[str, Any]) -> Iterator[Turn]:
        """All of them once an element."""
        name, source = self.key
        for element in scope[source]:
            for message in self.messages:
                yield Turn(message.role, message.content, {name: element})


class InsertedMessages(Part):
    """Messages that an input of `type: messages` gives: examples, or a talk so far."""

    noun: ClassVar[str] = "inserted messages"

    insert: Annotated[Name, Field(examples=["shots"])]
    """The input."""

    @property
    def sources(self) -> dict[Path, str]:
        """The input."""
        return {("insert",): self.insert}

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """Where they are from."""
        return (("messages", f"those of {self.insert}"),)

    def turns(self, scope: Mapping[str, Any]) -> Iterator[Turn]:
        """As they are: nothing in them is a template. The input's value is their JSON text."""
        for message in json.loads(scope[self.insert]):
            yield Turn(message["role"], message["content"], {}, is_template=False)


def _form(value: Any) -> str:
    """The kind of part that something is meant to be, by the keys that it has."""
    if isinstance(value, Part):
        return type(value).__name__
    keys = {*value} if isinstance(value, dict) else set[str]()
    return next((c for c, own in _OWN.items() if keys & own), Message).__name__


_OWN: dict[type[Part], set[str]] = {
    MessagesForEach: {"for_each", "messages"},
    InsertedMessages: {"insert"},
}

_Parts = (
    Annotated[Message, Tag("Message")]
    | Annotated[MessagesForEach, Tag("MessagesForEach")]
    | Annotated[InsertedMessages, Tag("InsertedMessages")]
)
Messages = Annotated[_Parts, Discriminator(_form)]
"""A part of a chat prompt."""
