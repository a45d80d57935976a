"""SG613: a loop that is left and entered again within a turn."""

from collections.abc import Iterator
from itertools import pairwise

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import listed

from ...digraph import Digraph
from ...facts import Facts

CODE = Code(
    id="SG613",
    title="loop that is left and entered again",
    meaning="What is outside of a loop sees its last turn, and what the loop reads from outside is "
    "there before its first. So no path leads out of a loop and back into it: a node between two "
    "nodes of a loop belongs to the loop.",
    wrong="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ critique }}"}
  words: {kind: lm, model: ada, prompt: "{{ draft }}"}
  critique: {kind: lm, model: ada, prompt: "{{ words }}"}
edges:
  - question -> draft
  - draft -> words
  - words -> critique
loops:
  refine: {repeat: 3, nodes: [draft, critique], carry: [critique -> draft]}
""",
    right="""\
nodes:
  draft: {kind: lm, model: ada, prompt: "{{ question }} {{ critique }}"}
  words: {kind: lm, model: ada, prompt: "{{ draft }}"}
  critique: {kind: lm, model: ada, prompt: "{{ words }}"}
edges:
  - question -> draft
  - draft -> words
  - words -> critique
loops:
  refine: {repeat: 3, nodes: [draft, words, critique], carry: [critique -> draft]}
""",
)

_SHOWN = 6

Whole = tuple[str, str]
"""A loop as one node, or a node outside of loops."""


def check(facts: Facts) -> Iterator[Diagnostic]:
    """One way out and back for each loop, told from the edge that leaves it."""
    if facts.has_cycle or facts.doubtful or not facts.graph.loops:
        return
    loop_of = facts.expansion.loop_of
    whole: dict[str, Whole] = {
        name: ("loop", loop_of[name]) if name in loop_of else ("node", name) for name in facts.dag
    }
    contracted = Digraph(
        edges=(
            (whole[parent], whole[child])
            for parent, child in facts.links
            if whole[parent] != whole[child] and facts.dag.has_edge(parent, child)
        )
    )
    for tangle in contracted.tangles():
        if len(tangle) > 1:
            yield _way_back(facts, contracted.part(tangle), whole)


def _way_back(facts: Facts, tangle: Digraph[Whole], whole: dict[str, Whole]) -> Diagnostic:
    leaves = next(
        (parent, child)
        for parent, child in facts.links
        if whole[parent][0] == "loop" and tangle.has_edge(whole[parent], whole[child])
    )
    parent, child = leaves
    way = [whole[parent], *tangle.way(whole[child], whole[parent])]
    steps = list(pairwise(way))
    written = {(whole[one], whole[other]): f"`{one} -> {other}`" for one, other in facts.links}
    loop = whole[parent][1]
    shown = listed([written[step] for step in steps], _SHOWN)
    said = f"the loop `{loop}` is left and entered again: {shown}"
    outside = [name for kind, name in way if kind == "node"]
    help = f"add {listed((f'`{name}`' for name in outside), _SHOWN)} to `nodes` of `{loop}`"
    if any(kind == "loop" and name != loop for kind, name in way):
        help = "make one loop of them: between two loops, edges lead one way"
    edge, start, _ = facts.links[leaves]
    at = ("edges", edge.index)
    return facts.diagnose(CODE, said, at, within=(start.start, start.end), help=help)
