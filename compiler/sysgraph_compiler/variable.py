"""A random variable of a compiled system, and what its value comes of.

A copy of a node's variable for each combination of `for_each` and each turn of a loop: nothing of
either is left to be worked out.
"""

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sysgraph_schemas import Decoding, Messages, RecordField
from sysgraph_schemas.described import Described
from sysgraph_schemas.failure import OnFailure
from sysgraph_schemas.nodes.tool import Setting

from .copies import Scalar

Type = Literal["text", "list[text]", "choice", "record", "image", "messages"]


def named(part: str | tuple[str, ...]) -> tuple[str, ...]:
    """The variables that a name stands for."""
    return (part,) if isinstance(part, str) else part


class Part(Described, BaseModel):
    """Of a program's JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Gate(Part):
    """A condition for a variable to exist: a choice came out as one of some options."""

    choice: str
    """The choice variable."""
    options: tuple[str, ...]
    """Under which it exists."""


class Element(Part):
    """An element of a list that is computed.

    A shorter list has none: what stands for it does not exist.
    """

    list: str
    """The variable whose value is the list."""
    index: int
    """Counted from 1."""


class Turn(Part):
    """A variable's place in a loop."""

    loop: str
    """The loop's name."""
    number: int
    """Counted from 1."""
    rounds: int
    """How many turns there are, at most."""
    over: str | None = None
    """The variable whose value is the list that there is a turn for each element of."""
    element: str | None = None
    """What its templates call that element."""
    is_open: bool = False
    """The loop may end before its last turn."""


class Past(Part):
    """A turn of a loop as its history has it."""

    round: int
    """Its number. It is left out where none of its variables exists."""
    values: dict[str, str | tuple[str, ...]]
    """The variable that each node's name stands for, or a group's variables in order."""
    lists: tuple[str, ...] = ()
    """The nodes whose value is a list: where they did not run it is empty, as others are."""

    @property
    def variables(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(one for part in self.values.values() for one in named(part))


class Label(Part):
    """What a template knows of an item of a group beside its value."""

    number: int
    """Its place in the group, from 1."""
    place: dict[str, Scalar]
    """Its `for_each` values; of an element of a list its index."""
    lists: dict[str, str] = {}
    """By key, the variable of the list that the elements are of, if the prompt has that."""


class Tool(Part):
    """A registered function, and what it is called with."""

    name: str
    """Its name in the entry-point group `sysgraph.tools`."""
    arguments: dict[str, str | tuple[str, ...]] = {}
    """The variable that each argument stands for, or a group's variables in order."""
    settings: dict[str, Setting] = {}
    """Arguments that are constants."""
    timeout: float | None = None
    """Seconds that one call may take; null: any time."""
    min_items: int = 0
    """Fewer elements of a list are a failure."""
    max_items: int | None = None
    """More elements of a list are a failure."""
    fields: dict[str, RecordField] = {}
    """What each field of a record holds."""
    on_failure: OnFailure | None = None
    """What a failure means: the trace ends there (`reject`: unusable, `abstain`: for the scorer to
    judge), or goes on with `default`; null: an error."""
    default: str | tuple[str, ...] | dict[str, str | tuple[str, ...]] | None = None
    """The value after a failure."""


class Variable(Part):
    """One random variable (or input) of the expanded DAG."""

    name: str
    """Unique: `answer`, or `draft[ada]` for a copy."""
    node: str
    """The graph file's name of it: `draft`."""
    kind: str
    """How it comes about: the `kind` in the graph file."""
    type: Type
    """The type of its value."""
    is_given: bool
    """The user gives its value: it is an input."""
    bindings: dict[str, Scalar] = {}
    """The `for_each` values of this copy, and in a loop the number of its `round`."""
    elements: dict[str, Element] = {}
    """The `for_each` keys of this copy that stand for elements of parsed lists."""
    turn: Turn | None = None
    """Its place in a loop."""
    gates: tuple[Gate, ...] = ()
    """It exists where all of them hold, and its parents do (of a group, one of them)."""
    parents: tuple[str, ...] = ()
    """The variables it depends on."""
    scope: dict[str, str | tuple[str, ...]] = {}
    """What each name in the prompt stands for: one variable, or a group's variables in order."""
    history: dict[str, tuple[Past, ...]] = {}
    """The loops by whose names its prompt has lists of turns, earlier ones or all."""
    labels: dict[str, Label] = {}
    """By variable of a group, what its prompt may ask of the item; none where it asks nothing."""
    number: int | None = None
    """Its place among the copies of its node, from 1, where its prompt asks that."""
    empty: tuple[str, ...] = ()
    """Names in the prompt that stand for the empty text: carried, in the first turn of a loop."""
    prompt: str | None = None
    """The template of its prompt, plain text for the model."""
    messages: tuple[Messages, ...] | None = None
    """What its chat messages are made of, in place of `prompt`."""
    decoding: Decoding = Decoding()
    """How the node has it drawn; what is null is as the model says."""
    parser: str | None = None
    """The parser that reads it."""
    field: str | None = None
    """The field of its parent, a record, that it is."""
    tool: Tool | None = None
    """The tool that computes it."""
    options: tuple[str, ...] = ()
    """What there is to choose from, for a choice."""
    fewest: int = 0
    """How many elements it has at least, for a list that is read or that a tool gives."""
    selects: bool = False
    """It has the value of the first of its parents that exists."""
    last_of: str | None = None
    """The node of a loop whose last turn that ran it stands for: of its parents, which are the
    turns from the last to the first, it has what the first has that was not skipped. Where that is
    rejected, so is this."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The parents whose values enter its own; the others gate it, or give it its elements."""
        beside = {gate.choice for gate in self.gates}
        beside.update(element.list for element in self.elements.values())
        return tuple(parent for parent in self.parents if parent not in beside)

    @cached_property
    def remembered(self) -> tuple[str, ...]:
        """The parents that it has of the history of loops alone: none of them need exist.

        Of all turns of a loop, one has to exist for a variable after it (`remembers_all`).
        """
        if not self.history:
            return ()
        past = (one for every in self.history.values() for turn in every for one in turn.variables)
        seen = {one for part in self.scope.values() for one in named(part)}
        seen.update(gate.choice for gate in self.gates)
        seen.update(element.list for element in self.elements.values())
        return tuple(one for one in dict.fromkeys(past) if one not in seen)

    @property
    def remembers_all(self) -> bool:
        """Whether it stands after the loop that it remembers."""
        return self.turn is None or self.turn.loop not in self.history
