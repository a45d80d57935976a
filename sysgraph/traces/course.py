"""What a program's variables see: rendered contexts, recomputed values, requests for engines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sysgraph_compiler import Program, TemplateError, Variable, render_template

from ..support.errors import InputError, RunError
from ..tools import toolbox_of
from .deterministic import Failure, arguments_of, compute
from .presence import Absence, Known, absence, why_skipped
from .prompt import ChatTurn, Context, illustrated
from .scope import pictures_in, scope_of
from .trace import Given, Trace, Value


def context(variable: Variable, trace: Known) -> Context:
    """The prompt of a variable, rendered over its parents' values in `trace`.

    Of a group, the template sees the members that exist. Where it has images in it, its texts are
    `Illustrated`.

    Raises:
        Unobserved: a parent's value is missing.
        InputError: the template cannot be rendered on these values.
    """
    scope, pictures = scope_of(variable, trace), pictures_in(variable, trace)

    def rendered(template: str, names: Mapping[str, object]) -> str:
        return illustrated(render_template(template, names), pictures)

    try:
        if variable.prompt is not None:
            return rendered(variable.prompt, scope)
        return tuple(
            ChatTurn(t.role, rendered(t.content, {**scope, **t.names}))
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
    inputs: Mapping[str, Given]
    values: dict[str, Value] = field(default_factory=dict)
    nonexistent: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    abstained: set[str] = field(default_factory=set)
    stopped: str | None = None
    failures: dict[str, str] = field(default_factory=dict)

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
                if variable.tool is not None:
                    self.failures.setdefault(variable.name, failure.why)
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
            failures=self.failures,
        )


def call_tools(program: Program, variables: Iterable[Variable], courses: Iterable[Course]) -> None:
    """Calls the tools that `courses` need for `variables`, each for all of them at once.

    Their values, and what went wrong, are there when the variables are settled.
    """
    tools = [variable for variable in variables if variable.tool is not None]
    calls = []
    for course in courses if tools else ():
        for variable in tools:
            known = variable.name in course.values or variable.name in course.failures
            if known or course.stopped is not None or absence(variable, course) is not None:
                continue
            arguments = arguments_of(variable, course)
            if arguments is not None:
                calls.append((variable, arguments))
    if calls:
        toolbox_of(program).call_all(calls)


def call_ahead(program: Program, traces: Iterable[Trace]) -> None:
    """Calls the tools that `traces` need, those of a layer for all of them at once.

    `complete` finds their values then, and what went wrong.
    """
    if all(variable.tool is None for variable in program.variables):
        return
    courses = [
        Course(program, trace.inputs, dict(trace.values), failures=dict(trace.failures))
        for trace in traces
    ]
    for layer in program.layers:
        call_tools(program, layer, courses)
        for course in courses:
            try:
                for variable in layer if course.stopped is None else ():
                    course.settle(variable)
            except RunError as error:
                course.stopped = str(error)


def complete(program: Program, trace: Trace) -> Trace:
    """`trace` with its absent deterministic values recomputed and `nonexistent` derived.

    A value of what never came to be is dropped, whatever the trace says.

    Raises:
        InputError, RunError: a tool is not there, or failed without a policy.
    """
    course = Course(program, trace.inputs, dict(trace.values), failures=dict(trace.failures))
    for variable in program.variables:
        if not variable.is_given:
            course.settle(variable)
    return course.trace(trace)


def why_failed(program: Program, trace: Trace) -> str | None:
    """Why a completed trace has failed, with the node that did, for people; None: it has not."""
    if trace.stopped is not None or not trace.failed:
        return trace.stopped
    unusable = trace.rejected - trace.abstained
    name = next((output for output in trace.outputs if output in unusable), None)
    if name is None:
        first = program.variable(trace.outputs[0])
        return f"{first.name}: not run: {why_skipped(first, trace)}"
    while absence(program.variable(name), trace) is not None:  # it hangs on one that failed
        above = [p for p in program.variable(name).parents if p in unusable]
        if not above:
            break
        name = above[0]
    return f"{name}: {why_rejected(program, program.variable(name), trace)}"


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
