"""What a prompt may ask of an item of a group beside its value: its keys and its number."""

from collections.abc import Mapping

from .copies import Scalar, copy_names
from .expansion import NUMBER, ROUND, Seen
from .facts import Facts
from .variable import Label, Past, Variable


def labels(
    facts: Facts,
    variable: Variable,
    scope: Mapping[str, Seen],
    history: Mapping[str, tuple[Past, ...]],
) -> dict[str, Label]:
    """By variable, for the items of every group that the prompt has; none if it asks nothing.

    Args:
        scope: what the names in the prompt stand for.
    """
    groups = [(parent, part, True) for parent, part in scope.items()]
    turns = (turn for past in history.values() for turn in past)
    said = (one for turn in turns for one in turn.values.items())
    groups += [(facts.meant(variable.node, node), part, False) for node, part in said]
    found: dict[str, Label] = {}
    for node, part, is_own in groups:
        if isinstance(part, tuple) and part and facts.asks_fields(variable.node):
            lists = _lists(facts, variable, node) if is_own else {}
            found |= _of_group(facts, node, part, lists)
    return found


def number(facts: Facts, variable: Variable) -> int | None:
    """The copy's place among those of its node, where its prompt has the name for that."""
    node = variable.node
    if NUMBER not in facts.uses.get(node, ()) or NUMBER not in facts.local(node):
        return None
    own = {**variable.bindings, **{key: e.index for key, e in variable.elements.items()}}
    copies = enumerate(copy_names(node, _without_turn(facts, node)), 1)
    return next(at for at, (_, items) in copies if items.items() <= own.items())


def _without_turn(facts: Facts, node: str) -> dict[str, list[Scalar]]:
    return {key: items for key, items in facts.expansion.axes[node].items() if key != ROUND}


def _lists(facts: Facts, reader: Variable, node: str) -> dict[str, str]:
    """Of the keys that stand for elements of a list which the reader has: the list's variable."""
    elements = {key: element.index for key, element in reader.elements.items()}
    found: dict[str, str] = {}
    for key in facts.shown_elements(node, reader.node):
        source = facts.graph.nodes[node].spread[key]
        seen = facts.expansion.seen(source, reader.node, {**elements, **reader.bindings})
        if isinstance(seen, str):
            found[key] = seen
    return found


def _of_group(
    facts: Facts, node: str, names: tuple[str, ...], lists: Mapping[str, str]
) -> dict[str, Label]:
    copies = copy_names(node, _without_turn(facts, node))
    return {
        name: Label(number=at, place=items, lists=dict(lists))
        for at, (name, (_, items)) in enumerate(zip(names, copies, strict=True), 1)
    }
