"""What a program's variables see: rendered contexts, recomputed values, requests for engines."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sysgraph_compiler import Program, TemplateError, Variable, render_template

from ..support.errors import InputError
from .deterministic import Failure, compute
from .presence import Absence, Known, absence
from .prompt import ChatTurn, Context
from .scope import scope_of
from .trace import Trace, Value


def context(variable: Variable, trace: Known) -> Context:
    """The prompt of a variable, rendered over its parents' values in `trace`.

    Of a group, the template sees the members that exist.

    Raises:
        Unobserved: a parent's value is missing.
        InputError: the template cannot be rendered on these values.
    """
    scope = scope_of(variable, trace)
    try:
        if variable.prompt is not None:
            return render_template(variable.prompt, scope)
        return tuple(
            ChatTurn(t.role, render_template(t.content, {**scope, **t.names}))
            if t.is_template
            else ChatTurn(t.role, t.content)
            for part in variable.messages or ()
            for t in part.turns(scope)
        )
    except TemplateError as error:
        raise InputError(f"the prompt of {variable.name}: {error}") from error


@dataclass
class Course:
    """A trace as it comes about, variable by variable in topological order."""

    program: Program
    inputs: Mapping[str, str]
    values: dict[str, Value] = field(default_factory=dict)
    nonexistent: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    abstained: set[str] = field(default_factory=set)
    stopped: str | None = None

    def settle(self, variable: Variable) -> bool:
        """Finds whether `variable` comes to be, and its value if it is deterministic.

        A value that it has already is kept if it comes to be, and dropped otherwise.

        Returns:
            Whether it comes to be, as far as its parents are known.
        """
        why: Absence | None = absence(variable, self)
        if why is None and variable.name in self.program.deterministic:
            try:
                self._compute(variable)
            except Failure as failure:
                why = "abstained" if failure.abstains else "rejected"
        if why is None:
            return True
        self.values.pop(variable.name, None)
        self.nonexistent.add(variable.name)
        if why != "skipped":
            self.rejected.add(variable.name)
        if why == "abstained":
            self.abstained.add(variable.name)
        return False

    def _compute(self, variable: Variable) -> None:
        if variable.name not in self.values:
            value = compute(self.program, variable, self)
            if value is not None:
                self.values[variable.name] = value

    def trace(self, start: Trace) -> Trace:
        """`start` with what came about."""
        return replace(
            start,
            values=self.values,
            nonexistent=frozenset(self.nonexistent),
            rejected=frozenset(self.rejected),
            abstained=frozenset(self.abstained),
            stopped=self.stopped,
        )


def complete(program: Program, trace: Trace) -> Trace:
    """`trace` with its absent deterministic values recomputed and `nonexistent` derived.

    A value of what never came to be is dropped, whatever the trace says.

    Raises:
        InputError, RunError: a tool is not there, or failed without a policy.
    """
    course = Course(program, trace.inputs, dict(trace.values))
    for variable in program.variables:
        if not variable.is_given:
            course.settle(variable)
    return course.trace(trace)


def why_rejected(program: Program, variable: Variable, trace: Trace) -> str:
    """Why a rejected variable of a completed trace has no value, for people."""
    if absence(variable, trace) is None:
        try:
            compute(program, variable, trace)
        except Failure as error:
            return str(error)
    hangs_on = [parent for parent in variable.parents if parent in trace.rejected]
    have = "has" if len(hangs_on) == 1 else "have"
    return f"{', '.join(hangs_on)} {have} no value"
