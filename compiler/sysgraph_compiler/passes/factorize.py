"""log p(s | x) = sum of one term per generated variable: the chain rule along the DAG."""

from collections.abc import Sequence

from sysgraph_schemas import Graph

from ..facts import Facts
from ..model_use import model_of
from ..program import Program, Status, Term
from ..variable import Variable


def run(facts: Facts, program: Program) -> Program:
    """The terms, in the order of the variables, and the outputs as variables."""
    nodes = facts.graph.nodes
    terms: list[Term] = []
    for variable in program.variables:
        node = nodes[variable.last_of or variable.node]
        if node.is_input:
            continue
        model = None
        if node.model_template is not None and variable.last_of is None:
            model = model_of(facts.graph, variable.node, variable.bindings)
        terms.append(
            Term(
                variable=variable.name,
                model=model,
                status=status(facts.graph, model),
                gated=_is_gated(facts, variable),
                bound=model is not None and facts.graph.models[model].likelihood == "bound",
            )
        )
    outputs = tuple(name for one in facts.graph.outputs for name in _last(program, one, facts))
    return program.model_copy(update={"terms": tuple(terms), "outputs": outputs})


def _is_gated(facts: Facts, variable: Variable) -> bool:
    """Whether some traces lack the variable, other than for a text that does not parse."""
    presence, nodes = facts.presence, facts.graph.nodes
    if variable.turn is not None and variable.turn.is_open and variable.turn.number > 1:
        return True
    if variable.last_of is not None:
        return presence.is_known and presence.of[variable.last_of] != presence.everything
    if not presence.questions and not variable.elements:
        return False
    late = any(e.index > facts.expansion.fewest(e.list) for e in variable.elements.values())
    varies = not presence.is_known or presence.of[variable.node] != presence.everything
    options = (
        (nodes[gate.choice.partition("[")[0]].choices, gate.options) for gate in variable.gates
    )
    return late or varies or any(not set(every) <= set(some) for every, some in options)


def _last(program: Program, output: str, facts: Facts) -> Sequence[str]:
    """The variables of an output; of one in a loop those of the last turn."""
    if facts.expansion.is_open(output):
        return facts.expansion.last(output)
    turns = max(1, facts.expansion.turns(output))
    return program.groups.get(output, (output,))[turns - 1 :: turns]


def status(graph: Graph, model: str | None) -> Status:
    """Whether a term's parameters train: its model does, unless `fit.train` names others only."""
    if model is None:
        return "deterministic"
    named = graph.fit.train is None or model in graph.fit.train
    return "trained" if named and graph.models[model].is_trained else "frozen"
