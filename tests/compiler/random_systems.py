"""Random graphs of all kinds of nodes that are mostly in order."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

Node = dict[str, Any]
BASE = {
    "sysgraph": 1,
    "name": "g",
    "models": {
        "m": {"kind": "table", "values": ["x", "y", "z"]},
        "p": {"kind": "diffusion", "id": "p"},
    },
    "parsers": {
        "few": {"kind": "lines", "min_items": 1, "max_items": 3, "on_failure": "reject"},
        "any": {"kind": "lines", "max_items": 2, "on_failure": "reject"},
        "word": {"kind": "word", "options": ["x", "y"], "on_failure": "reject"},
        "one": {"kind": "word", "options": ["x"], "on_failure": "abstain"},
        "record": {
            "kind": "json",
            "fields": {
                "r": {"options": ["x", "z"]},
                "t": "text",
                "l": {"type": "list", "max_items": 2},
            },
            "on_failure": "reject",
        },
    },
}


@st.composite
def systems(draw: st.DrawFn) -> dict[str, object]:
    """Graphs as data."""
    system = System(draw)
    for index in range(draw(st.integers(1, 7))):
        system.grow(f"n{index}")
    return system.graph()


class System:
    """A graph that grows by one node at a time, which reads some of those before it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._nodes: dict[str, Node] = {"q": {"kind": "input"}}
        self._types = {"q": "text"}
        self._edges: list[str] = []
        self._loops: dict[str, Node] = {}
        self._gates: list[str] = []
        self._kinds: dict[str, Callable[[str, list[str]], Node | None]] = {
            "choice": self._choice,
            "diffusion": self._diffusion,
            "tool": self._tool,
            "select": lambda name, read: {"kind": "select"},
            "word": self._word,
            "record": self._record,
            "list": self._list,
            "element": self._element,
            "copied": self._copied,
        }

    def grow(self, name: str) -> None:
        """Adds a node, of a text where its kind cannot read what was drawn for it."""
        kind = self._draw(st.sampled_from(["lm", *self._kinds]))
        texts = [n for n, type in self._types.items() if type == "text"]
        read = self._draw(st.lists(st.sampled_from(texts), min_size=1, max_size=2, unique=True))
        self._types[name] = "text"
        made = self._kinds[kind](name, read) if kind in self._kinds else None
        node = made if made is not None else lm(read)
        self._gated(node, read)
        if "prompt" in node and self._types[name] == "text" and self._draw(st.integers(0, 3)) == 0:
            self._loop(name, node)
        self._nodes[name] = node
        self._edges.append(f"{', '.join(read)} -> {name}")

    def graph(self) -> dict[str, object]:
        """All so far, and some of it as outputs."""
        made = [name for name in self._nodes if name != "q"]
        outputs = self._draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique=True))
        parts = {"nodes": self._nodes, "edges": self._edges, "loops": self._loops}
        return {**BASE, **parts, "outputs": outputs}

    # ---- kinds: a node that reads `read`, to which parents may be added; None: it cannot

    def _choice(self, name: str, read: list[str]) -> Node:
        self._gates.append(name)
        options = self._draw(st.sampled_from([["x", "y"], ["z", "x"]]))
        return lm(read) | {"kind": "choice", "options": options}

    def _diffusion(self, name: str, read: list[str]) -> Node:
        self._types[name] = "image"
        return lm(read) | {"kind": "diffusion", "model": "p"}

    def _tool(self, name: str, read: list[str]) -> Node:
        return {"kind": "tool", "tool": "calculate", "args": {"expression": read[0]}}

    def _word(self, name: str, read: list[str]) -> Node | None:
        node = self._parse(read, "word", "one")
        if node is not None:
            self._gates.append(name)
        return node

    def _record(self, name: str, read: list[str]) -> Node | None:
        node = self._parse(read, "record")
        if node is not None:
            self._types |= {name: "record", f"{name}.t": "text", f"{name}.l": "list"}
            self._gates.append(f"{name}.r")
        return node

    def _list(self, name: str, read: list[str]) -> Node | None:
        node = self._parse(read, "few", "any")
        if node is not None:
            self._types[name] = "list"
        return node

    def _parse(self, read: list[str], *parsers: str) -> Node | None:
        if self._nodes.get(read[0], {}).get("kind") not in ("lm", "input"):
            return None
        del read[1:]
        return {"kind": "parse", "parser": self._draw(st.sampled_from(parsers))}

    def _element(self, name: str, read: list[str]) -> Node | None:
        lists = [n for n, type in self._types.items() if type == "list"]
        if not lists:
            return None
        source, node = self._draw(st.sampled_from(lists)), lm(read)
        read.append(source)
        self._types[name] = "group"
        return node | {"for_each": {"e": source}, "prompt": f"{node['prompt']} {{{{ e }}}}"}

    def _copied(self, name: str, read: list[str]) -> Node:
        self._types[name] = "group"
        return lm(read) | {"for_each": {"k": self._draw(st.sampled_from([["x", "y"], [1, 2, 3]]))}}

    # ---- control

    def _gated(self, node: Node, read: list[str]) -> None:
        gates = [gate for gate in self._gates if gate.partition(".")[0] in self._nodes]
        if not gates or not self._draw(st.booleans()):
            return
        gate = self._draw(st.sampled_from(gates))
        node["when"] = {gate: self._draw(st.sampled_from(["x", "y", ["x", "z"], "{{ k }}"]))}
        # A field is a parent by itself, or with its record.
        parent = gate.partition(".")[0] if self._draw(st.booleans()) else gate
        if parent not in read:
            read.append(parent)

    def _loop(self, name: str, node: Node) -> None:
        node["prompt"] += f" {{{{ {name} }}}} {{{{ round }}}}"
        self._loops[f"l_{name}"] = {
            "repeat": self._draw(st.integers(1, 3)),
            "nodes": [name],
            "carry": [f"{name} -> {name}"],
        }


def lm(read: Sequence[str]) -> Node:
    """A text by the table, of a prompt that has all of `read`."""
    prompt = " ".join(f"{{{{ {parent} }}}}" for parent in read)
    return {"kind": "lm", "model": "m", "prompt": prompt}
