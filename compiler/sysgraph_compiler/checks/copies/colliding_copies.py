"""SG604: two copies with one name."""

from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.suggest import quoted

from ...copies import copy_names
from ...facts import Facts

CODE = Code(
    id="SG604",
    title="names that collide",
    meaning="Copies are named after their items, with commas between the keys' items; items that "
    "hold commas themselves can give two copies one name.",
    wrong="""\
nodes:
  draft:
    kind: lm
    for_each: {a: ["x", "x,y"], b: ["y,z", "z"]}
    model: ada
    prompt: "{{ question }}"
""",
    right="""\
nodes:
  draft:
    kind: lm
    for_each: {a: ["x", "x y"], b: ["y z", "z"]}
    model: ada
    prompt: "{{ question }}"
""",
)


def check(facts: Facts) -> Iterator[Diagnostic]:
    """The first collision of each node."""
    for name, node in facts.graph.nodes.items():
        axes = facts.expansion.axes.get(name, {})
        commas = any("," in str(item) for items in node.copies.values() for item in items)
        repeated = any(len(set(map(str, items))) < len(items) for items in node.copies.values())
        if len(axes) < 2 or not commas or repeated or name in facts.oversized:
            continue
        seen: set[str] = set()
        for copy, _ in copy_names(name, axes):
            if copy in seen:
                said = f"two copies of `{name}` would both be called {quoted(copy)}"
                path = ("nodes", name, "for_each")
                yield facts.diagnose(CODE, said, path, key=True, help="use items without commas")
                break
            seen.add(copy)
