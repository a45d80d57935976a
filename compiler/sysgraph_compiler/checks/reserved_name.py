"""SG306: a name that a template reads as something else."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.diagnostics import Path

from ..facts import Facts

CODE = Code(
    id="SG306",
    title="reserved name",
    meaning="Nodes and `for_each` keys are variables of templates, where words such as `if`, `in`, "
    "`true` and `loop` already mean something.",
    wrong="nodes:\n  loop: {kind: input}\n",
    right="nodes:\n  question: {kind: input}\n",
)

_RESERVED = frozenset(
    (
        *("and", "elif", "else", "endfor", "endif", "false", "False", "for", "if", "in", "is"),
        *("loop", "none", "None", "not", "or", "recursive", "self", "super", "true", "True"),
    )
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Nodes and keys."""
    for name, node in facts.graph.nodes.items():
        paths: list[Path] = [("nodes", name)]
        paths += [("nodes", name, "for_each", key) for key in node.copies]
        for path in paths:
            if path[-1] in _RESERVED:
                said = f"`{path[-1]}` means something else in a template"
                help = f"for example `{path[-1]}_`"
                yield facts.diagnose(CODE, said, path, key=True, help=help)
