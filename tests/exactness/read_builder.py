"""Random systems in which texts decide: a record's field and a verdict gate, and may not parse."""

from typing import Any

from .gated_builder import Builder
from .gated_oracle import Var

CALLS: dict[str, dict[str, Any] | None] = {
    '{"tool": "search", "query": "u", "args": ["x"]}': {
        "tool": "search",
        "query": "u",
        "args": ["x"],
    },
    'I see {it}. {"a": 1}\n```json\n{"query": "v", "tool": " Calc", "args": []}\n```': {
        "tool": "calc",
        "query": "v",
        "args": [],
    },
    '{"tool": "CALC", "query": 1.50, "args": ["y", 2], "more": {}}': {
        "tool": "calc",
        "query": "1.50",
        "args": ["y", "2"],
    },
    '{"tool": "search", "query": "u"} or so': {"tool": "search", "query": "u", "args": []},
    '{"tool": "fly", "query": "u"}': None,
    '{"tool": "calc", "query": "u", "args": ["x", "y", "z"]}': None,
    "no idea": None,
}
VERDICTS: dict[str, dict[str, str | None]] = {  # by policy for several
    "Ok.": {"only": "ok", "first": "ok", "last": "ok"},
    "it is not  OK": {"only": "not ok", "first": "not ok", "last": "not ok"},
    "ok ... no: not ok": {"only": None, "first": "ok", "last": "not ok"},
    "okay": {"only": None, "first": None, "last": None},
}
FIELDS = {
    "tool": {"options": ["search", "calc"]},
    "query": "text",
    "args": {"type": "list", "max_items": 2, "optional": True},
}
SPARE = {"tool": "search", "query": "none", "args": ["x"]}


class Reading(Builder):
    """A model calls one of two tools; another one's verdict says whether the answer is redone."""

    def build(self) -> None:
        self.spec["parsers"] = {}
        self.lm("ask", "a", [])
        self.values["a"] = self.rng.sample(list(CALLS)[:4], 2) + self.rng.sample(list(CALLS)[4:], 1)
        self.parser("call", {"kind": "json", "fields": FIELDS}, SPARE)
        calls = {text: CALLS[text] or self.spare("call", SPARE) for text in self.values["a"]}
        self.read("call", "ask", calls)
        self.field("tool")
        self.field("query")
        for name, tool in (("hits", "search"), ("sum", "calc")):
            self.lm(name, "z", ["call.query"], gates={"call.tool": (tool,)})
        self.node("pick", {"kind": "select"}, ["hits", "sum"])
        self.var(Var("pick", "select", [["hits"], ["sum"]]))
        self.lm("check", "c", ["pick"])
        self.values["c"] = self.rng.sample(list(VERDICTS), 3)
        which = self.rng.choice(("only", "first", "last"))
        options = ["ok", "not ok"]
        self.parser("verdict", {"kind": "word", "options": options, "which": which}, "not ok")
        meanings = {
            text: VERDICTS[text][which] or self.spare("verdict", "not ok")
            for text in self.values["c"]
        }
        self.read("verdict", "check", meanings)
        self.lm("kept", "z", ["pick"], gates={"verdict": ("ok",)})
        self.lm("redone", "z", ["call.query", "pick"], gates={"verdict": ("not ok",)})
        self.node("final", {"kind": "select"}, ["kept", "redone"])
        self.var(Var("final", "select", [["kept"], ["redone"]]))
        self.spec["outputs"] = ["final"]
        if self.chance():
            self.features.add("elements of a field")
            self.field("args")
            spread = {"x": "call.args"}
            node = {"kind": "lm", "model": "e", "prompt": "e/{{ x }}", "for_each": spread}
            self.node("e", node, ["call.args"])
            self.values["e"] = ["v", "w"]
            for i in (1, 2):
                self.var(Var(f"e[{i}]", "lm", [], "e", "e", element=("call.args", i)))
            self.spec["outputs"].append("e")

    def field(self, key: str) -> None:
        self.var(Var(f"call.{key}", "field", [["call"]], meanings={key: None}))

    def parser(self, name: str, settings: dict[str, Any], spare: Any) -> None:
        """With a random policy."""
        policy = self.rng.choice(("reject", "abstain", "default"))
        self.features.add(policy)
        default = {"default": spare} if policy == "default" else {}
        self.spec["parsers"][name] = {**settings, "on_failure": policy, **default}

    def spare(self, name: str, value: Any) -> Any:
        """What stands in for a failure; None where nothing does."""
        return value if self.spec["parsers"][name]["on_failure"] == "default" else None

    def read(self, name: str, source: str, meanings: dict[str, Any]) -> None:
        self.node(name, {"kind": "parse", "parser": name}, [source])
        self.var(Var(name, "read", [[source]], meanings=meanings))
