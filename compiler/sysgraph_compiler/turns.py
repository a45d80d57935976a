"""What the turns of a loop owe each other beside what is carried: whether they run, and history."""

from .facts import Facts
from .variable import Gate, Past, Variable


def goes_on(facts: Facts, variable: Variable) -> tuple[Gate, ...]:
    """The gate of a later turn: the choice of the turn before did not end the loop."""
    loop, turn = facts.expansion.loop(variable.node), variable.turn
    if loop is None or turn is None or turn.number == 1 or loop.options is None:
        return ()
    choice, ends = loop.options
    before = facts.expansion.in_turn(choice, turn.number - 1)
    assert isinstance(before, str)  # SG618
    rest = (option for option in facts.graph.nodes[choice].choices if option not in ends)
    return (Gate(choice=before, options=tuple(rest)),)


def history(facts: Facts, variable: Variable) -> dict[str, tuple[Past, ...]]:
    """The turns that a variable's prompt has under the names of loops: in a loop the earlier ones.

    Nothing for prompts that do not use the name.
    """
    used, turn = facts.uses.get(variable.node, {}), variable.turn
    found: dict[str, tuple[Past, ...]] = {}
    for name, nodes in facts.history(variable.node).items():
        said = facts.loop_said(variable.node, name)
        if said in used:
            inside = turn is not None and turn.loop == name
            last = (
                turn.number - 1 if turn is not None and inside else facts.expansion.turns(nodes[0])
            )
            called = {node: (facts.said(variable.node, node) or (node,))[0] for node in nodes}
            found[said] = tuple(
                Past(
                    round=t,
                    values={called[node]: facts.expansion.in_turn(node, t) for node in nodes},
                    lists=tuple(called[n] for n in nodes if facts.type_of(n) == "list[text]"),
                )
                for t in range(1, last + 1)
            )
    return found
