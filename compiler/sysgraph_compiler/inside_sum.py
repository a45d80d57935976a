"""What would stand inside Sampling's sum, though its model does not give a likelihood to sum."""

from collections.abc import Iterator
from dataclasses import dataclass

from sysgraph_schemas.suggest import listed

from .facts import Facts
from .observation import unobserved


@dataclass(frozen=True)
class Misfit:
    """A node inside the sum.

    Attributes:
        node: its name.
        model: that has no likelihood of it, or a bound.
        likelihood: `bound` or `none`.
        lack: why it is inside, as the middle of a sentence.
        help: what would be right.
    """

    node: str
    model: str
    likelihood: str
    lack: str
    help: str


def misfits(facts: Facts) -> Iterator[Misfit]:
    """Each such node, in the order of the file."""
    lacking = {gap.partition("[")[0] for gap in unobserved(facts.graph, facts.observation)}
    if not lacking or facts.has_cycle:
        return
    models = facts.graph.models
    inexact = {
        name: model
        for name, _, model, _ in facts.used_models
        if model in models and models[model].likelihood != "exact"
    }
    unknown = _unknown(facts, lacking)
    for name, model in inexact.items():
        likelihood = models[model].likelihood
        texts = sorted({gap for parent in facts.sees[name] for gap in unknown.get(parent, ())})
        if name in lacking:
            summed = likelihood == "none" and bool(facts.dag.children(name))
            needed = summed or _enters_an_output(facts, name)
            texts = [name] if needed else []  # SG803 speaks of an output itself
            lack = "data would not hold it"
        else:
            gates = sorted(lacking & {*facts.graph.nodes[name].gates})
            prompt = "caption" if facts.graph.nodes[name].gives == "image" else "prompt"
            lack = f"its {prompt} is made of {_named(texts)}, which data would not hold"
            if not texts or {*texts} <= {*gates}:
                texts = gates
                lack = f"whether it runs follows from {_named(texts)}, which data would not hold"
        if texts:
            help = f"let data hold {_named(texts)} too: add to `fit.observed` or --observed"
            yield Misfit(name, model, likelihood, lack, help)


def _named(texts: list[str]) -> str:
    return listed((f"`{text}`" for text in texts), 8)


def _unknown(facts: Facts, lacking: set[str]) -> dict[str, set[str]]:
    """For each node, what data lacks and its value follows from."""
    found = {name: {name} for name in lacking}
    for name in facts.dag.order():
        if facts.graph.nodes[name].is_deterministic:
            gaps = {gap for parent in facts.dag.parents(name) for gap in found.get(parent, ())}
            found[name] = gaps
    return found


def _enters_an_output(facts: Facts, name: str) -> bool:
    """Whether an output other than the node itself follows from its value."""
    nodes = facts.graph.nodes
    following = [name]
    seen = {name}
    for one in following:
        after = {n for n in facts.dag.children(one) if nodes[n].is_deterministic} - seen
        seen |= after
        following += after
    return name not in facts.graph.outputs and not seen.isdisjoint(facts.graph.outputs)
