"""log p(s | x) = sum of one term per generated variable: the chain rule along the DAG."""

from sysgraph_schemas import Graph

from ..facts import Facts
from ..program import Program, Status, Term
from ..templates.model_name import model_name


def run(facts: Facts, program: Program) -> Program:
    """The terms, in the order of the variables, and the outputs as variables."""
    nodes = facts.graph.nodes
    terms: list[Term] = []
    for variable in program.variables:
        node = nodes[variable.node]
        if node.is_input:
            continue
        template = node.model_template
        model = None if template is None else model_name(template, variable.bindings)
        terms.append(Term(variable=variable.name, model=model, status=status(facts.graph, model)))
    outputs = tuple(
        name for output in facts.graph.outputs for name in program.groups.get(output, (output,))
    )
    return program.model_copy(update={"terms": tuple(terms), "outputs": outputs})


def status(graph: Graph, model: str | None) -> Status:
    """Whether a term's parameters train: its model does, unless `fit.train` names others only."""
    if model is None:
        return "deterministic"
    named = graph.fit.train is None or model in graph.fit.train
    return "trained" if named and graph.models[model].train != "frozen" else "frozen"
