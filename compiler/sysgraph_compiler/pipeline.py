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
    history_nodes,
    loop_names,
    loop_nodes,
    over_list,
    reentered_loop,
    repeated_item,
    shadowing_key,
    shared_by_loops,
    template_too_long,
    too_many,
    unbounded_list,
    unbounded_turns,
    until_choice,
    until_option,
    unused_carry,
    unused_history,
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
    gated_until,
    idle_branch,
    idle_until,
    never_runs,
    no_output,
    nothing_to_select,
    open_gate,
)
from .checks.models import (
    divided_bits,
    divided_device,
    half_divided,
    model_kind,
    no_effect,
    option_of_table,
    reserved_name,
    rounded_weights,
    split_base,
    tool_arguments,
    trained_adapter,
    unknown_model,
    unknown_parser,
    unknown_tool,
    unlikely_choice,
    unsent_weights,
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
    unlikely_in_sum,
    unobserved_output,
    unread_text,
)
from .checks.templates import (
    foreign_decoding,
    idle_stop,
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
    equal_draws,
    idle_rounds,
    independent_draws,
    seen_eval_inputs,
    unscored_eval,
    warped_draws,
)
from .checks.types import (
    bad_regex,
    default_type,
    field_edge,
    no_failure_policy,
    parse_parents,
    parse_type,
    select_type,
    template_type,
    tool_type,
    unknown_field,
    unread_image,
)
from .facts import Facts
from .observation import EVERYTHING, Observation
from .passes import expand, factorize, link, observe, plan, share
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
    trained_adapter,
    unsent_weights,
    rounded_weights,
    divided_device,
    divided_bits,
    unlikely_choice,
    half_divided,
    template_syntax,
    template_forbidden,
    undefined_variable,
    missing_edge,
    unused_edge,
    model_template,
    message_order,
    foreign_decoding,
    idle_stop,
    message_source,
    template_type,
    parse_parents,
    parse_type,
    no_failure_policy,
    bad_regex,
    default_type,
    tool_type,
    select_type,
    unknown_field,
    field_edge,
    unread_image,
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
    until_choice,
    until_option,
    over_list,
    unbounded_turns,
    loop_names,
    history_nodes,
    unused_history,
    idle_rounds,
    seen_eval_inputs,
    unscored_eval,
    independent_draws,
    warped_draws,
    equal_draws,
    unknown_observed,
    direct_with_gap,
    unobserved_output,
    unread_text,
    credit_of_sum,
    bound_in_sum,
    unlikely_in_sum,
    gate_choice,
    gate_edge,
    gate_option,
    open_gate,
    gate_copies,
    no_output,
    nothing_to_select,
    idle_branch,
    never_runs,
    idle_until,
    gated_until,
)

CODES: tuple[Code, ...] = (*FILE_CODES, *(check.CODE for check in CHECKS))
"""Every kind of problem, by number."""

PASSES: tuple[tuple[str, Callable[[Facts, Program], Program]], ...] = (
    ("observe", observe.run),
    ("expand", expand.run),
    ("link", link.run),
    ("factorize", factorize.run),
    ("share", share.run),
    ("plan", plan.run),
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
    program = Program.model_construct(  # of what is valid already: no reader of it is made
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
        problems = list(islice(filter(facts.is_of_file, one.check(facts)), MAX_REPORTED + 1))
        found += problems[:MAX_REPORTED]
        if len(problems) > MAX_REPORTED:
            found[-1] = replace(found[-1], notes=(*found[-1].notes, _MORE))
    return _once(facts, in_order(found))


def _once(facts: Facts, found: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """What is wrong with a part, told for the first use of it alone."""
    if facts.places is None:
        return found
    file = facts.places.root.source.name
    told: dict[object, Diagnostic] = {}
    for one in found:
        elsewhere = one.span is not None and one.span.file != file
        told.setdefault((one.code, one.span) if elsewhere else one, one)
    return tuple(told.values())


_MORE = Note(f"only the first {MAX_REPORTED} problems of this kind are shown")
