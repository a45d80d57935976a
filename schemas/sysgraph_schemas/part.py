"""`use: part.yaml`: a graph file as one node of another one."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .nodes.base import When
from .spec import NotBlank, Spec

Value = str | int | float | bool | list[str | int | float | bool] | None


class PartNode(Spec):
    """A graph file as one node of another one.

    Its inputs are nodes of this graph, its output is the node's value. Its nodes are called after
    it: `draft` of the part `solve` is `solve.draft`. Its `fit` is not used. A part can have parts.
    Templates, edges, gates and lists read its output by the part's name, and where it has several
    outputs each by its own: `solve.answer`. Files have parts; a `Graph` in Python has what they
    are made of.
    """

    noun: ClassVar[str] = "a part"

    use: Annotated[NotBlank, Field(examples=["parts/solve.yaml"])]
    """The graph file: a path from this file's folder, downwards."""
    inputs: Annotated[dict[str, str] | None, Field(examples=[{"question": "task"}])] = None
    """The node that each of its inputs is. Without it, edges into the part say so: each gives the
    input of the same name, or the only one."""
    models: Annotated[
        dict[str, str] | Literal["own"] | None, Field(examples=[{"writer": "ada"}, "own"])
    ] = None
    """Models of this graph that stand for its own: they share their weights. Those that are not
    named stay its own, called `solve.writer`. `own`: all of them do. A part that is used several
    times says so, one way or the other."""
    vars: Annotated[dict[str, Value] | None, Field(examples=[{"style": "short"}])] = None
    """Values for its variables."""
    when: Annotated[When | None, Field(examples=[{"route": "math"}])] = None
    """Runs only where these choices came out so."""
