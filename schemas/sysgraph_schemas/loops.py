"""`loops:` of a graph file: nodes that run several times, each turn reading the one before."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from .spec import DOTTED, IDENTIFIER, Spec, refuse

Key = Annotated[str, Field(pattern=IDENTIFIER, max_length=100)]
NodeName = Annotated[str, Field(pattern=DOTTED)]


class Loop(Spec):
    """Turns, unrolled: `draft[1]`, `critique[1]`, `draft[2]`, ...

    As many as `repeat` says, fewer where `until` ends them, or one per element of a list (`over`).
    Edges between its nodes stay within a turn; `carry` leads to the next one. What comes after the
    loop sees the last turn; with `until` or `over`, the last one that ran. Templates in the loop
    know the number of the turn as `{{ round }}`, from 1, and how many there are (with `until`, at
    most) as `{{ rounds }}`.
    """

    noun: ClassVar[str] = "a loop"

    repeat: Annotated[int | None, Field(ge=1, le=1000, examples=[3])] = None
    """How many turns; with `until`, how many at most. Either this or `over`."""
    until: Annotated[
        dict[NodeName, str | list[str]] | None,
        Field(
            min_length=1, max_length=1, examples=[{"verdict": "ok"}, {"verdict": ["ok", "fine"]}]
        ),
    ] = None
    """A choice of the loop and one or several of its options: once it came out so, the later turns
    do not run. If a parser or tool that the choice hangs on fails by `on_failure: reject` or
    `abstain`, nothing says whether there is a next turn: the trace ends there, as with any failure,
    unless it was the last turn. `on_failure: default` goes on with its option. A turn in which the
    choice is gated off is the last one too."""
    over: Annotated[NodeName | None, Field(examples=["chunks"])] = None
    """A node outside of the loop that gives a list with `max_items`: a turn per element, in order.
    The list is a parent of all nodes of the loop. Of an empty list there is no turn, and what reads
    the loop does not run."""
    element: Annotated[Key, Field(alias="as", examples=["chunk"])] = "element"
    """What templates of the loop call the turn's element of the list."""
    nodes: Annotated[list[str], Field(min_length=1, examples=[["draft", "critique"]])]
    """What runs in every turn."""
    carry: Annotated[list[str], Field(examples=[["critique -> draft"]])] = []  # noqa: RUF012 - pydantic copies it
    """Edges into the next turn. In the first one, the value is the empty text or list."""
    history: Annotated[list[str], Field(examples=[["thought", "result"]])] = []  # noqa: RUF012 - pydantic copies it
    """Nodes of the loop whose values of all earlier turns are remembered: in the templates of the
    loop its name is the list of the turns that ran, each with its `round` and its values by node
    (`{% for turn in react %}{{ turn.thought }}{% endfor %}`). A node after the loop that edges lead
    to from all of them sees all turns by that name."""

    @property
    def options(self) -> tuple[str, tuple[str, ...]] | None:
        """The choice that ends the loop, and the options under which it does."""
        if not self.until:
            return None
        ((choice, options),) = self.until.items()
        return choice, (options,) if isinstance(options, str) else tuple(options)

    @property
    def is_open(self) -> bool:
        """Whether its number of turns is found out as it runs."""
        return self.until is not None or self.over is not None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.repeat is None and self.over is None:
            help = "add `repeat: 3` (turns), or `over:` with a node that gives a list"
            raise refuse("SG102", "a loop needs `repeat` or `over`", help=help)
        if self.repeat is not None and self.over is not None:
            said = "a loop has `repeat` or `over`, not both: a list says how many turns there are"
            raise refuse("SG107", said, at=("repeat",), help="remove one of them")
        if self.over is None and "element" in self.model_fields_set:
            said = "`as` names the element of the list in `over`, and this loop has none"
            raise refuse("SG107", said, at=("as",), help="add `over`, or remove `as`")
        if not (self.carry or self.history or self.is_open):
            help = "add for example `carry: [draft -> draft]`: without it, all turns are alike"
            raise refuse("SG102", "a loop needs the key `carry`", help=help)
        return self
