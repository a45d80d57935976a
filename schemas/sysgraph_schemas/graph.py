"""The graph file as data: what YAML loads into and what Python code writes directly."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr

from .diagnostics import GraphError
from .fit import Fit
from .located import Places
from .loops import Loop
from .models import ModelSpec
from .nodes import NodeSpec
from .parsers import ParserSpec
from .renderer import render
from .spec import DOTTED, NotBlank, Spec, refuse
from .suggest import quoted

Name = Annotated[str, Field(pattern=DOTTED, max_length=300)]


def _names_a_folder(name: str) -> str:
    if re.fullmatch(r"\w(?:[\w .-]*[\w-])?", name):
        return name
    legal = re.sub(r"[^\w.]+", "-", name).strip(".-")
    raise refuse(
        "SG110",
        f"{quoted(name)} is no name of a graph: it is letters, digits, spaces, `-`, `_` and `.`, "
        "begins with a letter, a digit or `_`, and ends with no space or dot",
        help=f"for example {quoted(legal)}" if legal else None,
    )


# The pattern is what editors check: `\w` is ASCII alone in theirs, so it lists what is refused.
_REFUSED = r"\x00-\x1f!-,/:-@\[-^`{-\x9f"
GraphName = Annotated[
    NotBlank,
    AfterValidator(_names_a_folder),
    Field(
        max_length=100,
        examples=["moa"],
        json_schema_extra={"pattern": rf"^[^{_REFUSED} .-]([^{_REFUSED}]*[^{_REFUSED} .])?$"},
    ),
]
"""What a folder can be called: see SG110."""


class Graph(Spec):
    """A compound AI system: models, the variables they generate, and who sees whom.

    Two graphs are equal when they mean the same; where they were read from takes no part.
    """

    noun: ClassVar[str] = "a graph"

    sysgraph: Annotated[Literal[1], Field(examples=[1])] = 1
    """Version of the file format."""
    name: GraphName
    """What the system is called: letters, digits, spaces, `-`, `_` and `.`."""
    description: Annotated[str, Field(examples=["Two proposers, one aggregator."])] = ""
    """What the system does, in a sentence."""
    models: Annotated[
        dict[Name, ModelSpec], Field(examples=[{"ada": {"kind": "causal_lm", "id": "gpt2"}}])
    ]
    """Parameter sets by name; two nodes that name one model share its weights."""
    parsers: Annotated[dict[Name, ParserSpec], Field(examples=[{"items": {"kind": "lines"}}])] = {}  # noqa: RUF012 - pydantic copies it
    """Deterministic readers of text by name."""
    nodes: Annotated[dict[Name, NodeSpec], Field(examples=[{"question": {"kind": "input"}}])]
    """Variables by name."""
    edges: Annotated[
        list[str], Field(examples=[["question -> draft", "question, draft -> answer"]])
    ]
    """Parents and children: `a, b -> c, d` gives c and d the parents a and b."""
    loops: Annotated[
        dict[Name, Loop],
        Field(
            max_length=100,
            examples=[{"refine": {"repeat": 3, "nodes": ["draft"], "carry": ["draft -> draft"]}}],
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    """Nodes that run several times, by name of the loop."""
    outputs: Annotated[list[str], Field(min_length=1, examples=[["answer"]])]
    """The nodes whose values are the system's answer."""
    fit: Annotated[Fit, Field(examples=[{"beta": 0.1, "steps": 200}])] = Fit()
    """How the system is trained."""

    _places: Places | None = PrivateAttr(default=None)
    _folder: Path | None = PrivateAttr(default=None)

    @property
    def folder(self) -> Path:
        """Where the paths of its tools start: its file's folder; of text, the working folder."""
        return self._folder or Path()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def model_copy(self, *, update: Any = None, deep: bool = False) -> Self:
        """A copy, as pydantic makes it. A changed copy no longer points into the file."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._places = None
        return copy

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """The picture of its program, in a notebook; what is wrong with it, where it has none."""
        # Who shows graphs has the compiler loaded; this package does not know it.
        compiler: Any = sys.modules.get("sysgraph_compiler")
        if compiler is None:
            return {"text/plain": repr(self)}
        try:
            return {**compiler.compile(self)._repr_mimebundle_(), "text/plain": repr(self)}
        except GraphError as error:
            return {"text/plain": render(error.diagnostics)}
