"""The compiled system: its variables in topological order and one log-likelihood term for each.

    log p(s | x) = sum over terms t of  log p_model(t)( t.variable | parents of t.variable )

Every later stage (emitters, drawing, the runtime) reads a `Program` and nothing else. As JSON it is
described by `program.schema.json` beside this file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ValidationError

from sysgraph_schemas import Fit, ModelSpec, ParserSpec

from .observation import Method
from .variable import Part, Variable

if TYPE_CHECKING:  # it reads programs itself
    from .planning import Given, Lack, Pattern, Plan

IR_VERSION = 1

Status = Literal["trained", "frozen", "deterministic"]
Cadence = Literal["never", "once", "every step"]
Draws = Literal["never", "once", "every draw"]


class Term(Part):
    """The factor log p_model(variable | parents), and what `Program.plan` says of it."""

    variable: str
    """What it is the likelihood of."""
    model: str | None
    """Whose likelihood; null for a deterministic variable, whose factor is 0."""
    status: Status
    """Whether its parameters train."""
    gated: bool = False
    """Some traces lack it: a gate is off, or a list is shorter."""
    bound: bool = False
    """It is a bound on the log-likelihood, as a diffusion model has one."""
    summed: bool = False
    """It stands inside Sampling's sum: an unobserved value enters it."""
    cancels: bool = False
    """It is equal in log p and log p_ref whatever is observed, so the objective leaves it out."""
    same_prompt: bool = False
    """Chosen and rejected have one prompt, as nothing but inputs enters it."""
    policy: Cadence = "never"
    """When log p is computed in training: `once` is once for each distinct request of a set of
    pairs (of a round, with `fit.rounds`)."""
    reference: Cadence = "never"
    """When log p_ref is computed; `never` where it equals log p, or the term is left out."""


class Objective(Part):
    """What training minimizes, as it follows from what data holds: `Program.plan` in short."""

    method: Method = "direct"
    """`direct`: every generated value is observed. `sampling`: the rest is summed over."""
    named: tuple[str, ...] | None = None
    """The nodes and variables whose values data is said to hold; null: all."""
    observed: tuple[str, ...] = ()
    """Generated variables whose values data holds, or that follow from those: the branch that an
    observed selection took has its value."""
    latent: tuple[str, ...] = ()
    """Generated variables that data lacks and that something observed depends on: one trajectory
    of the sum holds a value for each (but for the branch that an observed selection took)."""
    draws: Draws = "never"
    """When trajectories are drawn: `once` for a set of pairs (of a round, with `fit.rounds`) where
    nothing that trains draws them, else every `fit.sampling.redraw_every` steps."""


class Resident(Part):
    """A base checkpoint that is in memory once, and the models on it."""

    id: str
    """Where it is loaded from."""
    revision: str
    """Its branch, tag or commit."""
    dtype: str
    """The type of its weights."""
    attn_implementation: str | None = None
    """What computes its attention; null: what its library chooses."""
    device: str | None = None
    """Where it lives; null: where the rest of the run does."""
    load_in: str | None = None
    """What its weights are rounded to as they are loaded; null: they are not."""
    models: tuple[str, ...]
    """The models that adapt it, copy it or use it as it is."""


class Call(Part):
    """Terms whose requests are scored together, under one set of weights."""

    side: Literal["policy", "reference"]
    """Whether it gives log p or log p_ref."""
    models: tuple[str, ...]
    """Whose requests they are. Several share a call where all of them run on the bare base; a
    reference does until `fit.rounds` gives each model a snapshot of its own."""
    terms: tuple[str, ...]
    """Variables of the terms."""


@dataclass
class Bound:
    """What is bound to a program where it runs: it is no part of what the program says."""

    folder: Path = Path()
    """Where the paths in tools' settings start."""
    tools: Mapping[str, Any] = field(default_factory=dict)
    """Tools by name, before those that packages register."""
    opened: Any = None
    """Its tools, once they are open."""


class IRVersionError(ValueError):
    """A program's JSON was written in a version of the IR that this compiler does not read."""


class Program(Part):
    """The compiled system."""

    ir_version: Literal[1] = 1
    """Version of this format. Another one is refused: compile the graph file again."""
    name: str
    """What the graph calls the system."""
    description: str = ""
    """What the graph says about it."""
    models: dict[str, ModelSpec]
    """Parameter sets, as the graph has them."""
    parsers: dict[str, ParserSpec] = Field(default={})
    """Deterministic readers of text, as the graph has them."""
    variables: tuple[Variable, ...]
    """In topological order; ties in the order of the file."""
    terms: tuple[Term, ...]
    """One for every variable that is no input, in the order of the variables."""
    groups: dict[str, tuple[str, ...]] = Field(default={})
    """The copies of each `for_each` node."""
    outputs: tuple[str, ...]
    """The variables whose values are the system's answer."""
    objective: Objective = Objective()
    """What training minimizes."""
    residents: tuple[Resident, ...] = ()
    """Base checkpoints, each in memory once."""
    calls: tuple[Call, ...] = ()
    """Which terms are scored together."""
    fit: Fit = Fit()
    """Training settings, as the graph has them."""

    def variable(self, name: str) -> Variable:
        """The variable of this name.

        Raises:
            KeyError: there is none.
        """
        return self._variable_of[name]

    def term(self, name: str) -> Term:
        """The term of this variable.

        Raises:
            KeyError: it is an input, or there is none.
        """
        return self._term_of[name]

    def find_term(self, name: str) -> Term | None:
        """The term of this variable; None: it is an input."""
        return self._term_of.get(name)

    def model_of(self, name: str) -> str | None:
        """The model that a variable has a likelihood under; None: it is an input, or computed."""
        term = self.find_term(name)
        return None if term is None else term.model

    @cached_property
    def likely(self) -> tuple[str, ...]:
        """The variables that have a likelihood, in their order."""
        return tuple(term.variable for term in self.terms if term.model is not None)

    @cached_property
    def deterministic(self) -> frozenset[str]:
        """The variables that follow from their parents."""
        return frozenset(term.variable for term in self.terms if term.model is None)

    @cached_property
    def depths(self) -> dict[str, int]:
        """How many layers come before each variable: it needs values of those alone."""
        found: dict[str, int] = {}
        for variable in self.variables:
            found[variable.name] = max((found[p] + 1 for p in variable.parents), default=0)
        return found

    @cached_property
    def layers(self) -> tuple[tuple[Variable, ...], ...]:
        """The variables that are no inputs, by their depth: those of one layer can come at once."""
        found: dict[int, list[Variable]] = {}
        for variable in self.variables:
            if not variable.is_given:
                found.setdefault(self.depths[variable.name], []).append(variable)
        return tuple(tuple(found[depth]) for depth in sorted(found))

    def has_same_prompt(self, name: str) -> bool:
        """Whether both sides of a pair give a variable one prompt: nothing but inputs enters it."""
        return self._from_inputs.issuperset(self.variable(name).parents)

    @cached_property
    def _from_inputs(self) -> frozenset[str]:
        """Inputs, and what is computed from nothing else."""
        found: set[str] = set()
        for variable in self.variables:
            follows = variable.name in self.deterministic and found.issuperset(variable.parents)
            if variable.is_given or follows:
                found.add(variable.name)
        return frozenset(found)

    @cached_property
    def plan(self) -> "Plan":
        """What pairs need that hold what `objective.named` says.

        It is what is printed; terms, objective and calls have it for whoever reads the JSON.
        """
        from .planning import implied

        named = self.objective.named
        return implied(self, None if named is None else frozenset(named))

    @cached_property
    def lacks(self) -> "dict[tuple[Pattern, frozenset[str]], Lack]":
        """What pairs lack, so far as `planning` was asked."""
        return {}

    @cached_property
    def plans(self) -> "dict[tuple[Pattern, Given], Plan]":
        """What pairs need, so far as `planning` was asked."""
        return {}

    @cached_property
    def bound(self) -> Bound:
        """What the runtime has for it, and no file says."""
        return Bound()

    @cached_property
    def _variable_of(self) -> dict[str, Variable]:
        return {variable.name: variable for variable in self.variables}

    @cached_property
    def _term_of(self) -> dict[str, Term]:
        return {term.variable: term for term in self.terms}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A changed copy: nothing that was worked out of this one is taken for the copy's."""
        copy = super().model_copy(update=update, deep=deep)
        copy.__dict__["bound"] = replace(self.bound, opened=None)
        for name in copy.__dict__.keys() - type(self).model_fields.keys() - {"bound"}:
            del copy.__dict__[name]
        return copy

    def with_its_plan(self, update: Mapping[str, Any]) -> Self:
        """A copy with what its plan says of it written down, from which the same plan follows."""
        plan = self.plan
        copy = self.model_copy(update=update)
        copy.__dict__["plan"] = plan
        return copy

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

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """The program's picture, in a notebook."""
        from .drawing import render

        return {"image/svg+xml": render(self, ".svg").decode(), "text/plain": str(self)}
