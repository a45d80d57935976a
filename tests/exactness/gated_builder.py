"""Random systems with choices, gates, selections, lists, loops and a tool."""

import random
from typing import Any

from .gated_oracle import Var

LISTS = ("", "x", "y;x", "x;y;x")  # what the parser of at most two items reads: the last is none


class Builder:
    """Writes one random system, node by node, for sysgraph and for the oracle at once."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.vars: list[Var] = []
        self.values: dict[str, list[str]] = {}
        self.features: set[str] = set()
        self.spec: dict[str, Any] = {
            "sysgraph": 1,
            "name": "gated",
            "nodes": {"question": {"kind": "input"}},
            "parsers": {
                "ok": {"kind": "regex", "pattern": "ok (.+)", "on_failure": "reject"},
                "items": {
                    "kind": "split",
                    "separator": ";",
                    "max_items": 2,
                    "on_failure": "reject",
                },
            },
            "edges": [],
        }

    def build(self) -> None:
        self.options = ("a", "b", "c")[: self.rng.choice((2, 3))]
        self.choice("route", "r", self.options, [])
        branches = self.branches_of_a_group() if self.chance() else self.branches_by_name()
        self.node("pick", {"kind": "select"}, branches)
        self.var(Var("pick", "select", [self.copies(name) for name in branches]))
        gate = {}
        if self.chance():
            self.features.add("second choice")
            self.choice("again", "r2", ("yes", "no"), ["pick"])
            gate = {"again": ("yes",)}
        if self.chance():
            self.elements(gate)
        else:
            self.loop(gate)

    def chance(self) -> bool:
        return self.rng.random() < 0.5

    # ---- parts of a system

    def branches_by_name(self) -> list[str]:
        """Nodes that each run under some options, perhaps none of them under some."""
        names = []
        for i in range(2):
            name, options = f"m{i}", tuple(self.rng.sample(self.options, self.rng.choice((1, 2))))
            self.lm(name, "t", [], gates={"route": options})
            names.append(name)
        if self.chance():
            self.features.add("rejected branch")
            self.node("read", {"kind": "parse", "parser": "ok"}, ["m0"])
            self.var(Var("read", "parse", [["m0"]]))
            names[0] = "read"
        return names

    def branches_of_a_group(self) -> list[str]:
        """A copy an option."""
        self.features.add("gated group")
        listed = list(self.options[: self.rng.choice((2, 3))])
        prompt = "m/{{ question }}"
        node = {
            "kind": "lm",
            "model": "t",
            "prompt": prompt,
            "for_each": {"k": listed},
            "when": {"route": "{{ k }}"},
        }
        self.node("m", node, ["question"])
        for key in listed:
            self.var(self.of_question(f"m[{key}]", "t", "m", gates={"route": (key,)}))
        self.values["t"] = ["ok u", "junk"]
        return ["m"]

    def elements(self, gate: dict[str, tuple[str, ...]]) -> None:
        """A list, a text for each of its elements, and what is made of them."""
        self.features.add("elements")
        self.lm("raw", "l", ["pick"])
        self.values["l"] = list(self.rng.sample(LISTS, 3))
        self.node("items", {"kind": "parse", "parser": "items"}, ["raw"])
        self.var(Var("items", "split", [["raw"]]))
        node = {"kind": "lm", "model": "e", "prompt": "e/{{ item }}", "for_each": {"item": "items"}}
        node |= {"when": {name: list(options) for name, options in gate.items()}} if gate else {}
        self.node("e", node, ["items"])
        self.values["e"] = ["v", "w"]
        for i in (1, 2):
            self.var(Var(f"e[{i}]", "lm", [], "e", "e", gates=gate, element=("items", i)))
        if self.chance():
            self.features.add("tool")
            self.node("best", {"kind": "tool", "tool": "vote", "args": {"answers": "e"}}, ["e"])
            self.var(Var("best", "vote", [["e[1]", "e[2]"]]))
            self.lm("end", "z", ["best", "pick"])
        else:
            self.lm("end", "z", ["e"])
        self.spec["outputs"] = ["route", "end", *(["e"] if self.chance() else [])]

    def loop(self, gate: dict[str, tuple[str, ...]]) -> None:
        """Two turns of a draft and a critique; the second draft sees the first critique."""
        self.features.add("loop")
        self.lm("d", "z", ["pick", "crit"], gates=gate)
        self.lm("crit", "z", ["d"])
        self.spec["loops"] = {
            "refine": {"repeat": 2, "nodes": ["d", "crit"], "carry": ["crit -> d"]}
        }
        edges = self.spec["edges"]
        edges[:] = [edge.replace(", crit", "") if edge.endswith("-> d") else edge for edge in edges]
        draft, critique = self.vars[-2:]
        self.vars[-2:] = [
            self.turn(draft, 1, {"crit": []}),
            self.turn(critique, 1, {"d": ["d[1]"]}),
            self.turn(draft, 2, {"crit": ["crit[1]"]}),
            self.turn(critique, 2, {"d": ["d[2]"]}),
        ]
        self.lm("end", "z", ["d"])
        self.vars[-1].reads[-1] = ["d[2]"]
        self.spec["outputs"] = ["route", "end", "crit"]

    def turn(self, var: Var, number: int, seen: dict[str, list[str]]) -> Var:
        reads = [seen.get(group[0], group) for group in var.reads]
        return Var(f"{var.name}[{number}]", "lm", reads, var.model, var.prefix, gates=var.gates)

    # ---- nodes

    def choice(
        self,
        name: str,
        model: str,
        options: tuple[str, ...],
        parents: list[str],
        gates: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.values[model] = [*options, "no option"]
        node: dict[str, Any] = {"kind": "choice", "model": model, "options": list(options)}
        if gates:
            node["when"] = {choice: list(able) for choice, able in gates.items()}
        self.node(name, {**node, "prompt": self.prompt(name, parents)}, ["question", *parents])
        reads = [["question"], *([p] for p in parents)]
        self.var(Var(name, "choice", reads, model, name, options, gates=gates or {}))

    def lm(
        self,
        name: str,
        model: str,
        parents: list[str],
        gates: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.values.setdefault(model, ["ok u", "junk"] if model == "t" else ["v", "w"])
        node: dict[str, Any] = {
            "kind": "lm",
            "model": model,
            "prompt": self.prompt(name, parents),
        }
        if gates:
            node["when"] = {choice: list(options) for choice, options in gates.items()}
        self.node(name, node, ["question", *parents])
        reads = [["question"], *(self.copies(p) for p in parents)]
        self.var(Var(name, "lm", reads, model, name, gates=gates or {}))

    def of_question(
        self, name: str, model: str, prefix: str, gates: dict[str, tuple[str, ...]]
    ) -> Var:
        return Var(name, "lm", [["question"]], model, prefix, gates=gates)

    def prompt(self, name: str, parents: list[str]) -> str:
        shown = [
            f"{{{{ {p} | join('+') }}}}"
            if "for_each" in self.spec["nodes"].get(p, {})
            else f"{{{{ {p} }}}}"
            for p in ["question", *parents]
        ]
        return "/".join([name, *shown])

    def copies(self, node: str) -> list[str]:
        """The variables of a node that is copied, or the one of a node that is not."""
        found = [var.name for var in self.vars if var.name.startswith(f"{node}[")]
        return found or [node]

    def node(self, name: str, node: dict[str, Any], parents: list[str]) -> None:
        self.spec["nodes"][name] = node
        parents = [*parents, *(choice for choice in node.get("when", {}) if choice not in parents)]
        self.spec["edges"].append(f"{', '.join(parents)} -> {name}")

    def var(self, var: Var) -> None:
        self.vars.append(var)


class Refining(Builder):
    """Drafts that verdicts call bad, so that another is written; a mode says which are judged.

    What came out last is the answer: whether an earlier draft is hangs on what reads it.
    """

    def build(self) -> None:
        modes = ("fast", "careful", "odd")[: self.rng.choice((2, 3))]
        self.choice("mode", "c", modes, [])
        gate = {"mode": modes[:1]} if self.chance() else {}
        self.lm("d0", "t", ["mode"] if self.chance() else [])
        drafts = ["d0"]
        able = tuple(self.rng.sample(modes, self.rng.choice((1, 1, 2))))
        for i in range(1, self.rng.choice((2, 3, 3))):
            # A draft that is judged, though another is never written under this mode.
            gates = [{"mode": able}, {}] if i == 1 or self.chance() else [{}, {}]
            self.rng.shuffle(gates)
            self.choice(f"v{i}", "v", ("good", "bad"), [drafts[-1]], gates[0])
            model = "t" if self.chance() else "last"
            self.lm(f"d{i}", model, [drafts[-1]], gates={f"v{i}": ("bad",), **gates[1]})
            drafts.append(f"d{i}")
        branches = drafts[::-1]
        if len(branches) == 3 and self.chance():
            self.features.add("selection of a selection")
            self.select("inner", branches[1:])
            branches = [branches[0], "inner"]
        self.select("pick", branches)
        self.lm("note", "z", ["pick", "d0"], gates=gate)
        self.lm("end", "z", ["pick"])
        self.values["t"] = ["u", "w"]
        if "last" in self.values:
            self.values["last"] = ["u", "x"]
        self.spec["outputs"] = ["mode", "end", "note"]

    def select(self, name: str, branches: list[str]) -> None:
        self.node(name, {"kind": "select"}, branches)
        self.var(Var(name, "select", [[branch] for branch in branches]))
