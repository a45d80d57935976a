"""The compiled system: its variables in topological order and one log-likelihood term for each.

    log p(s | x) = sum over terms t of  log p_model(t)( t.variable | parents of t.variable )

Every later stage (emitters, drawing, the runtime) reads a `Program` and nothing else.
"""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from sysgraph_schemas import Fit, Message, ModelSpec, ParserSpec

IR_VERSION = 1

Type = Literal["text", "list[text]"]
Status = Literal["trained", "frozen", "deterministic"]
Scalar = str | int | float


class _Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Variable(_Node):
    """One random variable (or input) of the expanded DAG.

    `name` is unique (`draft[ada]`), `node` is the graph file's name (`draft`), `bindings` are the
    `for_each` values of this copy. `scope` says what each name in the prompt stands for: one
    variable, or the variables of a group in order.
    """

    name: str
    node: str
    kind: Literal["input", "lm", "parse"]
    type: Type
    bindings: dict[str, Scalar] = {}
    parents: tuple[str, ...] = ()
    scope: dict[str, str | tuple[str, ...]] = {}
    prompt: str | None = None
    messages: tuple[Message, ...] | None = None
    parser: str | None = None


class Term(_Node):
    """The factor log p_model(variable | parents). A deterministic variable's factor is 0."""

    variable: str
    model: str | None
    status: Status


class IRVersionError(ValueError):
    """A program's JSON was written in a version of the IR that this compiler does not read."""


class Program(_Node):
    """The compiled system.

    `variables` are in topological order; `terms` has one entry for every variable that is no
    input, in the same order. `groups` maps each `for_each` node to its copies. `outputs` are
    variable names.
    """

    ir_version: Literal[1] = 1
    name: str
    description: str = ""
    models: dict[str, ModelSpec]
    parsers: dict[str, ParserSpec] = {}
    variables: tuple[Variable, ...]
    terms: tuple[Term, ...]
    groups: dict[str, tuple[str, ...]] = {}
    outputs: tuple[str, ...]
    fit: Fit = Fit()

    def to_json(self) -> str:
        """The program as JSON text; `from_json` gives an equal program back."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            IRVersionError: the text was written in another version of the IR.
            ValueError: the text is no program.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            version = next((e for e in error.errors() if e["loc"] == ("ir_version",)), None)
            if version is None:
                raise
            raise IRVersionError(
                f"this program has ir_version {version['input']!r}; this compiler reads "
                f"{IR_VERSION}: compile the graph file again"
            ) from error

    def __str__(self) -> str:
        from .emit.text import emit_text

        return emit_text(self)
