"""`nodes:` of a graph file: the variables of the DAG."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .spec import IDENTIFIER, Spec, refuse

Item = str | int | float
ForEach = Annotated[
    dict[Annotated[str, Field(pattern=IDENTIFIER)], list[Item]],
    Field(min_length=1, examples=[{"agent": ["ada", "bo"]}]),
]


class Message(Spec):
    """One turn of a chat prompt."""

    noun: ClassVar[str] = "a message"

    role: Annotated[Literal["system", "user", "assistant"], Field(examples=["user"])]
    """Who speaks."""
    content: Annotated[str, Field(examples=["{{ question }}"])]
    """A Jinja2 template."""


Path = tuple[str | int, ...]


class _Node(Spec):
    """What the compiler asks of every kind of node; a kind answers what differs."""

    is_input: ClassVar[bool] = False
    """Whether the user gives the value."""
    is_deterministic: ClassVar[bool] = False
    """Whether the value follows from the parents: its term is 0."""

    @property
    def copies(self) -> dict[str, list[Item]]:
        """The `for_each` keys with their items; empty for a node that is not copied."""
        return {}

    @property
    def model_template(self) -> str | None:
        """The template that names the model, for a node that has one."""
        return None

    @property
    def parser_name(self) -> str | None:
        """The parser, for a node that has one."""
        return None

    @property
    def templates(self) -> dict[Path, str]:
        """The templates over the parents, by where they stand in the node."""
        return {}

    @property
    def roles(self) -> tuple[str, ...]:
        """Who speaks in each of the chat messages, for a node that has some."""
        return ()


class InputNode(_Node):
    """A value the user gives."""

    noun: ClassVar[str] = "an input node"
    is_input: ClassVar[bool] = True

    kind: Annotated[Literal["input"], Field(examples=["input"])] = "input"
    """A value the user gives."""


class LMNode(_Node):
    """A text that a language model writes, given its prompt."""

    noun: ClassVar[str] = "an lm node"

    kind: Annotated[Literal["lm"], Field(examples=["lm"])] = "lm"
    """A text that a language model writes."""
    model: Annotated[str, Field(min_length=1, examples=["ada", "{{ agent }}"])]
    """A name under `models`, or a template over the `for_each` keys that gives one."""
    prompt: Annotated[str | None, Field(examples=["{{ question }}"])] = None
    """A Jinja2 template over the parents, given to the model as plain text."""
    messages: Annotated[
        list[Message] | None,
        Field(min_length=1, examples=[[{"role": "user", "content": "{{ question }}"}]]),
    ] = None
    """The prompt as chat messages, through the model's chat template."""
    for_each: Annotated[ForEach | None, Field(examples=[{"agent": ["ada", "bo"]}])] = None
    """Copies the node once per listed item (per combination, with several keys)."""

    @property
    def copies(self) -> dict[str, list[Item]]:
        """The `for_each` keys with their items."""
        return self.for_each or {}

    @property
    def model_template(self) -> str:
        """The template that names the model."""
        return self.model

    @property
    def templates(self) -> dict[Path, str]:
        """The prompt, or every message's content."""
        if self.prompt is not None:
            return {("prompt",): self.prompt}
        turns = enumerate(self.messages or [])
        return {("messages", index, "content"): turn.content for index, turn in turns}

    @property
    def roles(self) -> tuple[str, ...]:
        """Who speaks in each of the chat messages."""
        return tuple(turn.role for turn in self.messages or ())

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if self.prompt is None and self.messages is None:
            help = 'add `prompt: "..."` (plain text) or `messages:` (through the chat template)'
            raise refuse("SG102", "an lm node needs `prompt` or `messages`", help=help)
        if self.prompt is not None and self.messages is not None:
            said = "an lm node has `prompt` or `messages`, not both"
            raise refuse("SG107", said, at=("messages",), help="remove one of them")
        return self


class ParseNode(_Node):
    """What a parser reads from its one parent's text. Deterministic: probability 1."""

    noun: ClassVar[str] = "a parse node"
    is_deterministic: ClassVar[bool] = True

    kind: Annotated[Literal["parse"], Field(examples=["parse"])] = "parse"
    """What a parser reads from a text."""
    parser: Annotated[str, Field(min_length=1, examples=["captions"])]
    """A name under `parsers`."""
    for_each: Annotated[ForEach | None, Field(examples=[{"agent": ["ada", "bo"]}])] = None
    """Copies the node once per item; a parent with the same `for_each` is read copy by copy."""

    @property
    def copies(self) -> dict[str, list[Item]]:
        """The `for_each` keys with their items."""
        return self.for_each or {}

    @property
    def parser_name(self) -> str:
        """The parser."""
        return self.parser


NodeSpec = Annotated[InputNode | LMNode | ParseNode, Field(discriminator="kind")]
