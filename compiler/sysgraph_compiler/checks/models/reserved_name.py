"""SG306: a name that a template reads as something else."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path

from ...expansion import ROUND, ROUNDS
from ...facts import Facts

CODE = Code(
    id="SG306",
    title="reserved name",
    meaning="Nodes and `for_each` keys are variables of templates, where words such as `if`, `in`, "
    "`true` and `loop` already mean something, and in the nodes of a loop `round` and `rounds`.",
    wrong="nodes:\n  loop: {kind: input}\n",
    right="nodes:\n  question: {kind: input}\n",
)

RESERVED = frozenset(
    (
        *("and", "elif", "else", "endfor", "endif", "false", "False", "for", "if", "in", "is"),
        *("loop", "none", "None", "not", "or", "recursive", "self", "super", "true", "True"),
    )
)
"""Words of templates."""
_TURNS = {ROUND: "the number of the turn", ROUNDS: "how many turns there are"}


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Nodes and keys."""
    for name, node in facts.graph.nodes.items():
        paths: list[Path] = [("nodes", name)]
        paths += [("nodes", name, "for_each", key) for key in (*node.copies, *node.spread)]
        for path in paths:
            word = str(path[-1]).rpartition(".")[2]  # a part's own templates call it so
            if word in RESERVED:
                said = f"`{word}` means something else in a template"
                help = f"for example `{word}_`"
                yield facts.diagnose(CODE, said, path, key=True, help=help)
            elif word in _TURNS and _in_loop(facts, name, path):
                said = f"`{word}` is {_TURNS[word]} in the templates of a loop"
                help = f"for example `{word}_`"
                yield facts.diagnose(CODE, said, path, key=True, help=help)


def _in_loop(facts: Facts, name: str, path: Path) -> bool:
    """Whether templates of a loop would read the name: a key of their node, or what it sees."""
    loop_of = facts.expansion.loop_of
    if len(path) > 2:
        return name in loop_of
    return any(name in facts.sees[child] for child in loop_of)
