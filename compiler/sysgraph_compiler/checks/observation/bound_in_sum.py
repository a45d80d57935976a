"""SG806: a diffusion node inside Sampling's sum."""

from collections.abc import Iterator

import networkx as nx

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import listed

from ...facts import Facts
from ...observation import unobserved

CODE = Code(
    id="SG806",
    title="bound inside Sampling's sum",
    meaning="A diffusion model has a bound on its log-likelihood, and SysDPO-Sampling sums "
    "likelihoods over what data does not hold: a bound on a summand is none on the objective. So "
    "data holds an image, and the texts that its caption is made of.",
    wrong="""\
models:
  painter: {kind: diffusion, id: stabilityai/sd-turbo}
nodes:
  answer: {kind: diffusion, model: painter, prompt: "{{ question }} {{ draft }}"}
fit: {observed: [answer]}
""",
    right="""\
models:
  painter: {kind: diffusion, id: stabilityai/sd-turbo}
nodes:
  answer: {kind: diffusion, model: painter, prompt: "{{ question }} {{ draft }}"}
fit: {observed: [draft, answer]}
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each such node, placed at its name."""
    lacking = {gap.partition("[")[0] for gap in unobserved(facts.graph, facts.observation)}
    if not lacking or facts.has_cycle:
        return
    models = facts.graph.models
    bounded = {
        name: model
        for name, _, model, _ in facts.used_models
        if model in models and models[model].likelihood != "exact"
    }
    unknown = _unknown(facts, lacking)
    for name, model in bounded.items():
        texts = sorted({gap for parent in facts.sees[name] for gap in unknown.get(parent, ())})
        if name in lacking:
            summed = models[model].likelihood == "none" and bool([*facts.dag.successors(name)])
            needed = summed or _enters_an_output(facts, name) or facts.expansion.is_open(name)
            texts = [name] if needed else []  # SG803 speaks of an output itself
            lack = "data would not hold it"
        else:
            gates = sorted(lacking & {*facts.graph.nodes[name].gates})
            lack = f"its caption is made of {_named(texts)}, which data would not hold"
            if not texts or {*texts} <= {*gates}:
                texts = gates
                lack = f"whether it runs follows from {_named(texts)}, which data would not hold"
        if texts:
            has = "no" if models[model].likelihood == "none" else "only a bound on the"
            said = f"`{model}` has {has} likelihood of `{name}`, and {lack}: "
            said += "it can not stand inside Sampling's sum"
            help = f"let data hold {_named(texts)} too: add to `fit.observed` or --observed"
            yield facts.diagnose(CODE, said, ("nodes", name), key=True, help=help)


def _named(texts: list[str]) -> str:
    return listed((f"`{text}`" for text in texts), 8)


def _unknown(facts: Facts, lacking: set[str]) -> dict[str, set[str]]:
    """For each node, what data lacks and its value follows from."""
    found = {name: {name} for name in lacking}
    for name in nx.topological_sort(facts.dag):
        if facts.graph.nodes[name].is_deterministic:
            gaps = {gap for parent in facts.dag.predecessors(name) for gap in found.get(parent, ())}
            found[name] = gaps
    return found


def _enters_an_output(facts: Facts, name: str) -> bool:
    """Whether an output other than the node itself follows from its value."""
    nodes = facts.graph.nodes
    following = [name]
    seen = {name}
    for one in following:
        after = {n for n in facts.dag.successors(one) if nodes[n].is_deterministic} - seen
        seen |= after
        following += after
    return name not in facts.graph.outputs and not seen.isdisjoint(facts.graph.outputs)
