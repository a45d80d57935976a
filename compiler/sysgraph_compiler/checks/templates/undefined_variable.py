"""SG403: a template variable that is nothing."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import closest, listed, quoted

from ...expansion import ROUND, ROUNDS
from ...facts import Facts

CODE = Code(
    id="SG403",
    title="undefined variable",
    meaning="A template uses a name that is no node and no `for_each` key of its node.",
    wrong='draft: {kind: lm, model: ada, prompt: "{{ qestion }}"}\n',
    right='draft: {kind: lm, model: ada, prompt: "{{ question }}"}\n',
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each undefined name, once per node."""
    if ("nodes",) in facts.broken:
        return
    for node, used in facts.uses.items():
        keys = facts.local(node)
        for name, path in used.items():
            if (
                name in keys
                or facts.knows(name)
                or (name in (ROUND, ROUNDS) and node in facts.doubtful)
            ):
                continue
            sees = [*dict.fromkeys([*facts.named_parents(node), *facts.sees[node], *keys])]
            near = closest(
                name, [*sees, *(other for other in facts.names("nodes") if other != node)]
            )
            meant = f"did you mean `{near}`? " if near else ""
            if name in (ROUND, ROUNDS):
                meant = f"only the nodes of a loop know their `{name}`; "
            loop = facts.graph.loops.get(name)
            if loop is not None and loop.history:
                meant = f"to read the turns of `{name}`, add to `edges`: - "
                meant += f"{', '.join(loop.history)} -> {node}; "
            elif loop is not None:
                meant = f"to read its turns, give the loop `{name}` a `history`; "
            yield facts.diagnose(
                CODE,
                f"undefined variable {quoted(name.rpartition('.')[2])}",
                path,
                within=facts.place_of(name, path),
                help=f"{meant}`{node}` sees: {listed(sees) or 'nothing, as no edge leads to it'}",
            )
