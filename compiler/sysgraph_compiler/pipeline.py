"""The compiler: every check, then every pass, in the order they are listed here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Protocol

from sysgraph_schemas import Code, Diagnostic, Graph, GraphError, Note
from sysgraph_schemas.diagnostics import has_errors, in_order
from sysgraph_schemas.limits import MAX_REPORTED
from sysgraph_schemas.problems import CODES as FILE_CODES

from .checks.copies import (
    bad_item,
    carried_edge,
    carry_ends,
    carry_syntax,
    colliding_copies,
    element_edge,
    element_list,
    empty_for_each,
    loop_nodes,
    reentered_loop,
    repeated_item,
    shadowing_key,
    shared_by_loops,
    template_too_long,
    too_many,
    unbounded_list,
    unused_carry,
)
from .checks.edges import (
    bad_output,
    cycle,
    duplicate_edge,
    duplicate_output,
    edge_syntax,
    input_with_parent,
    no_way_in,
    no_way_out,
    unknown_node,
)
from .checks.gates import (
    gate_choice,
    gate_copies,
    gate_edge,
    gate_option,
    idle_branch,
    never_runs,
    no_output,
    nothing_to_select,
    open_gate,
)
from .checks.models import (
    model_kind,
    no_effect,
    option_of_table,
    reserved_name,
    split_base,
    tool_arguments,
    unknown_model,
    unknown_parser,
    unknown_tool,
    untrainable,
    unused_argument,
    unused_model,
    unused_parser,
)
from .checks.observation import (
    bound_in_sum,
    credit_of_sum,
    direct_with_gap,
    unknown_observed,
    unobserved_output,
    unread_text,
)
from .checks.templates import (
    message_order,
    message_source,
    missing_edge,
    model_template,
    template_forbidden,
    template_syntax,
    undefined_variable,
    unused_edge,
)
from .checks.training import (
    idle_rounds,
    independent_draws,
    seen_eval_inputs,
    unscored_eval,
    warped_draws,
)
from .checks.types import (
    bad_regex,
    default_type,
    no_failure_policy,
    parse_parents,
    parse_type,
    select_type,
    template_type,
    tool_type,
)
from .facts import Facts
from .observation import EVERYTHING, Observation
from .passes import cancel, expand, factorize, link, merge, observe, schedule
from .program import Program

Tools = Mapping[str, object]
"""Tools by name."""
NO_TOOLS: Tools = MappingProxyType({})


class Check(Protocol):
    """A module of `checks`: one kind of problem."""

    CODE: Code

    def check(self, facts: Facts) -> Iterator[Diagnostic]:
        """Every problem of this kind, in the order of the file."""


CHECKS: tuple[Check, ...] = (
    edge_syntax,
    unknown_node,
    duplicate_edge,
    input_with_parent,
    cycle,
    no_way_in,
    no_way_out,
    bad_output,
    duplicate_output,
    unknown_model,
    unknown_parser,
    unused_model,
    unused_parser,
    untrainable,
    reserved_name,
    split_base,
    no_effect,
    model_kind,
    unknown_tool,
    tool_arguments,
    unused_argument,
    option_of_table,
    template_syntax,
    template_forbidden,
    undefined_variable,
    missing_edge,
    unused_edge,
    model_template,
    message_order,
    message_source,
    template_type,
    parse_parents,
    parse_type,
    no_failure_policy,
    bad_regex,
    default_type,
    tool_type,
    select_type,
    empty_for_each,
    repeated_item,
    shadowing_key,
    colliding_copies,
    too_many,
    bad_item,
    template_too_long,
    loop_nodes,
    shared_by_loops,
    carry_syntax,
    carry_ends,
    carried_edge,
    reentered_loop,
    unused_carry,
    element_list,
    element_edge,
    unbounded_list,
    idle_rounds,
    seen_eval_inputs,
    unscored_eval,
    independent_draws,
    warped_draws,
    unknown_observed,
    direct_with_gap,
    unobserved_output,
    unread_text,
    credit_of_sum,
    bound_in_sum,
    gate_choice,
    gate_edge,
    gate_option,
    open_gate,
    gate_copies,
    no_output,
    nothing_to_select,
    idle_branch,
    never_runs,
)

CODES: tuple[Code, ...] = (*FILE_CODES, *(check.CODE for check in CHECKS))
"""Every kind of problem, by number."""

PASSES: tuple[tuple[str, Callable[[Facts, Program], Program]], ...] = (
    ("expand", expand.run),
    ("link", link.run),
    ("factorize", factorize.run),
    ("observe", observe.run),
    ("cancel", cancel.run),
    ("schedule", schedule.run),
    ("merge", merge.run),
)
"""From a sound graph to its program: each adds what its file says."""


def check(
    graph: Graph, observation: Observation = EVERYTHING, *, tools: Tools = NO_TOOLS
) -> tuple[Diagnostic, ...]:
    """Every error and warning, sorted by place; `tools` as for `compile`."""
    return _check(Facts(graph, observation, tools))


def compile(
    graph: Graph,
    observation: Observation = EVERYTHING,
    *,
    until: str | None = None,
    tools: Tools = NO_TOOLS,
) -> Program:
    """The program of a graph.

    Args:
        graph: what `load` gave, or what was written in Python.
        observation: which generated values data holds; default: all of them (SysDPO-Direct).
        until: the last pass to run, one of `PASSES`; default: all.
        tools: your own tools by name, functions for example, besides those that packages register.

    Raises:
        GraphError: the graph has errors. Warnings do not raise.
    """
    program, diagnostics = attempt(graph, observation, until=until, tools=tools)
    if program is None:
        raise GraphError(diagnostics)
    return program


def attempt(
    graph: Graph,
    observation: Observation = EVERYTHING,
    *,
    until: str | None = None,
    tools: Tools = NO_TOOLS,
) -> tuple[Program | None, tuple[Diagnostic, ...]]:
    """The program, unless the graph has errors, and everything that `check` says."""
    facts = Facts(graph, observation, tools)
    diagnostics = _check(facts)
    if not facts.is_sound or has_errors(diagnostics):
        return None, diagnostics
    program = Program(
        name=graph.name,
        description=graph.description,
        models=graph.models,
        parsers=graph.parsers,
        variables=(),
        terms=(),
        outputs=(),
        fit=graph.fit,
    )
    for name, run in PASSES:
        program = run(facts, program)
        if name == until:
            break
    program.bound.folder, program.bound.tools = graph.folder, dict(tools)
    return program, diagnostics


def _check(facts: Facts) -> tuple[Diagnostic, ...]:
    found: list[Diagnostic] = []
    for one in CHECKS:
        problems = list(islice(one.check(facts), MAX_REPORTED + 1))
        found += problems[:MAX_REPORTED]
        if len(problems) > MAX_REPORTED:
            found[-1] = replace(found[-1], notes=(*found[-1].notes, _MORE))
    return in_order(found)


_MORE = Note(f"only the first {MAX_REPORTED} problems of this kind are shown")
