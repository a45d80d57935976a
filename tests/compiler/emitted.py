"""Programs of every kind, to be written as text, LaTeX and JSON."""

import sysgraph_compiler
from sysgraph_compiler import Observation, Program
from sysgraph_schemas import load

from .drawing.samples import KINDS, ODD_GATES
from .test_objective import moa, parsed

ODD = """\
name: odd
models: {a_1: {kind: table, values: [x]}, b: {kind: table, values: [x], train: frozen}}
nodes:
  q_1: {kind: input}
  d:
    kind: lm
    for_each: {who: [a_1, b], n: [1, "$&#%{}~^\\\\<|>_"]}
    model: a_1
    prompt: "{{ q_1 }}"
  e: {kind: lm, for_each: {n: [1, 2, 3, 4, 5, 6, 7, 8]}, model: b, prompt: "{{ d | join }}"}
  f: {kind: lm, for_each: {n: [a_1, b]}, model: "{{ n }}", prompt: "{{ e | join }}"}
edges: [q_1 -> d, d -> e, e -> f]
outputs: [f]
"""
TWO_KEYS = """
models: {a: {kind: table, values: [x]}, b: {kind: table, values: [y]}}
parsers: {lines: {kind: lines, max_items: 9, on_failure: reject}}
nodes:
  q: {kind: input}
  t: {kind: lm, model: a, prompt: "{{ q }}"}
  items: {kind: parse, parser: lines}
  d:
    kind: lm
    for_each: {who: [a, b], item: items}
    model: "{{ who }}"
    prompt: "{{ item }}{% for one in items %}{{ one }}{% endfor %}"
  e: {kind: lm, model: a, prompt: "{{ q }} {{ d | join }}"}
  f: {kind: lm, model: a, prompt: "{{ q }}"}
edges: [q -> t, t -> items, items -> d, "q, d -> e", q -> f]
outputs: [e, f]
"""
SAMPLING = Observation(None, "sampling")
MIXES = ["nca_pair", "{apo_down: 0.5, discopop: 1, sft: 0.2}"]


def programs() -> list[Program]:
    """Programs say what they are called as they like: it comes from no graph file of ours."""
    named = {"name": "50% & more\n_x"}
    odd = [load(ODD, [f"fit.{fit}"]) for fit in ("loss=hinge", "credit=node", "loss=ipo")]
    return [
        *(moa(Observation()), moa(SAMPLING), moa(Observation(("draft", "answer")))),
        moa(Observation(), "fit.label_smoothing=0.1", "fit.anchor=0"),
        *(moa(one, f"fit.loss={loss}") for loss in MIXES for one in (Observation(), SAMPLING)),
        *(moa(one, "fit.reference={every: 9, mix: 0.5}") for one in (Observation(), SAMPLING)),
        moa(Observation(), "fit.loss=robust", "fit.label_smoothing=0.1", "fit.credit=node"),
        *(sysgraph_compiler.compile(graph).model_copy(update=named) for graph in odd),
        sysgraph_compiler.compile(odd[0], SAMPLING),
        sysgraph_compiler.compile(odd[0], Observation(("e", "f"))),
        sysgraph_compiler.compile(parsed(["last"])),
        moa(SAMPLING, "fit.sampling.sampler=ancestral", "fit.sampling.estimator=importance"),
        *(kinds(KINDS), kinds(ODD_GATES), kinds(ODD_GATES, SAMPLING)),
        *(kinds(KINDS, Observation(), "loops.refine.repeat=2"), kinds(TWO_KEYS)),
    ]


def kinds(text: str, observation: Observation = Observation(), *overrides: str) -> Program:  # noqa: B008
    return sysgraph_compiler.compile(load(f"name: g\n{text}", overrides), observation)
