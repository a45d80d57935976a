"""How to write nodes that depend on one another as an entry of `loops`, for messages."""

from collections.abc import Iterable, Iterator, Sequence

from .digraph import Digraph
from .facts import Facts

Pair = tuple[str, str]
"""A parent and a child."""

_SHOWN = 12


def hint(facts: Facts, tangle: Iterable[str]) -> str:
    """What to change so that a tangle of nodes is a loop: which edges lead into the next turn."""
    members = {*tangle}
    inside = [name for name in facts.graph.nodes if name in members]
    carried = _closing(facts, inside) if len(inside) <= _SHOWN else None
    if carried is None:
        return "write the nodes as a loop: the edge that closes it goes to `carry` of `loops`"
    edges = ", ".join(f"`{parent} -> {child}`" for parent, child in carried)
    home = _home(facts, inside)
    if home is None:
        return (
            f"write it as a loop: take {edges} out of `edges`, and {entry(facts, inside, carried)}"
        )
    missing = [name for name in inside if name not in facts.expansion.loop_of]
    more = f", and add {', '.join(missing)} to its `nodes`" if missing else ""
    return f"move {edges} from `edges` to `carry` of the loop `{home}`{more}"


def entry(facts: Facts, inside: Sequence[str], carried: Sequence[Pair]) -> str:
    """What to add so that nodes run in turns and these edges lead into the next one."""
    home = _home(facts, inside)
    edges = ", ".join(f"{parent} -> {child}" for parent, child in carried)
    if home is not None and all(name in facts.expansion.loop_of for name in inside):
        return f"add `{edges}` to `carry` of the loop `{home}`"
    return f"add to `loops`: turns: {{repeat: 3, nodes: [{', '.join(inside)}], carry: [{edges}]}}"


def _home(facts: Facts, inside: Iterable[str]) -> str | None:
    """The one loop that some of the nodes are in already."""
    loops = {facts.expansion.loop_of.get(name) for name in inside} - {None}
    return loops.pop() if len(loops) == 1 else None


def _closing(facts: Facts, inside: Sequence[str]) -> list[Pair] | None:
    """The edges back to where a turn begins: into prompts, which can do without a first value."""
    tangle, nodes = facts.dag.part(inside), facts.graph.nodes

    def begins(name: str) -> bool:
        return any(parent not in tangle for parent in facts.dag.parents(name))

    for start in sorted(inside, key=lambda name: not begins(name)):
        back = list(_back_edges(tangle, start))
        if all(nodes[child].is_prompted for _, child in back):
            return back
    return None


def _back_edges(graph: Digraph[str], start: str) -> Iterator[Pair]:
    """The edges that a depth-first search finds to lead back on its way: without them, a DAG."""
    seen = {start}

    def search(way: tuple[str, ...]) -> Iterator[Pair]:
        for child in graph.children(way[-1]):
            if child in way:
                yield way[-1], child
            elif child not in seen:
                seen.add(child)
                yield from search((*way, child))

    return search((start,))
