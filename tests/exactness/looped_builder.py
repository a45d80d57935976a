"""Random systems with loops that end by a verdict or with a list, what they carry and remember."""

from typing import Any

from .gated_builder import LISTS, Builder
from .gated_oracle import Var


class Looping(Builder):
    """A mode, a loop, and an end that reads its last turn, or all of its turns."""

    def build(self) -> None:
        self.choice("mode", "c", ("a", "b"), [])
        self.turns: list[list[str]] = []
        if self.chance():
            self.until()
        else:
            self.over()

    # ---- a loop that a verdict ends

    def until(self) -> None:
        """Drafts, perhaps parsed, of one or two writers; a verdict, and a critique of it."""
        options = ("good", "bad", "odd")[: self.rng.choice((2, 3))]
        ends = tuple(
            self.rng.sample(options, self.rng.choice((1, 1, 2)) if len(options) == 3 else 1)
        )
        rest = tuple(option for option in options if option not in ends)
        self.features.add("until several" if len(ends) > 1 else "until")
        remembers, parses, copies = self.chance(), self.chance(), self.chance()
        gated = self.chance()  # a critique is written of what is to be done again, or always
        self.values = {**self.values, "t": ["ok u", "junk"] if parses else ["u", "w"]}
        self.values |= {"v": [*options, "no option"], "k": ["y", "z"], "e": ["f", "g"]}
        self.judged(parses, copies, remembers)
        self.node("v", self.judge(parses, options), ["p" if parses else "d"])
        self.node("crit", {"kind": "lm", "model": "k", "prompt": "crit/{{ v }}"}, ["v"])
        if gated:
            self.features.add("gate in the loop")
            self.spec["nodes"]["crit"]["when"] = {"v": list(rest)}
        repeat = 2 if copies else self.rng.choice((2, 3))
        names = ["d", *(["p"] if parses else []), "v", "crit"]
        until = {"v": ends[0] if len(ends) == 1 else list(ends)}
        loop: dict[str, Any] = {"repeat": repeat, "until": until, "nodes": names}
        loop |= {"history": ["d", "crit"]} if remembers else {}
        into = ["crit -> d", *(["d -> d"] if copies else [])]
        loop |= {} if remembers and not copies else {"carry": into[1:] if remembers else into}
        self.spec["loops"] = {"turn": loop}
        for number in range(1, repeat + 1):
            self.turn_of(number, rest if gated else None, rest, options, parses, copies, remembers)
        self.end("p" if parses else "d", repeat, copies and not parses, remembers)

    def judged(self, parses: bool, copies: bool, remembers: bool) -> None:
        """The drafts of a turn."""
        past = "{% for t in turn %}[{{ t.d JOIN }},{{ t.crit }}]{% endfor %}"
        past = past.replace("JOIN", "| join('+')" if copies else "")
        prompt = "d/{{ question }}/" + (past if remembers else "{{ crit }}")
        node: dict[str, Any] = {"kind": "lm", "model": "t", "prompt": prompt}
        if copies:
            self.features.add("copies that see the others")
            seen = "/{% for o in d | others %}{{ o.key }}{{ o.number }}{{ o }}{% endfor %}"
            node |= {"prompt": f"{prompt}/{{{{ key }}}}{seen}", "for_each": {"key": ["i", "j"]}}
        self.node("d", node, ["question"])
        if parses:
            self.features.add("rejected turn")
            each = {"for_each": {"key": ["i", "j"]}} if copies else {}
            self.node("p", {"kind": "parse", "parser": "ok", **each}, ["d"])
        if remembers:
            self.features.add("history")

    def judge(self, parses: bool, options: tuple[str, ...]) -> dict[str, Any]:
        read = "p" if parses else "d"
        join = " | join('+')" if "for_each" in self.spec["nodes"][read] else ""
        prompt = f"v/{{{{ {read}{join} }}}}"
        return {"kind": "choice", "model": "v", "prompt": prompt, "options": list(options)}

    def turn_of(
        self,
        number: int,
        critique: tuple[str, ...] | None,
        rest: tuple[str, ...],
        options: tuple[str, ...],
        parses: bool,
        copies: bool,
        remembers: bool,
    ) -> None:
        def at(node: str, turn: int = number, key: str = "") -> str:
            return f"{node}[{key},{turn}]" if key else f"{node}[{turn}]"

        go_on = {at("v", number - 1): rest} if number > 1 else {}
        keys = ["i", "j"] if copies else [""]
        before = number - 1
        for key in keys:
            carried = [[at("crit", before)] if before else []]
            var = Var(at("d", key=key), "lm", [["question"], *([] if remembers else carried)])
            var.model, var.prefix, var.gates = "t", "d", go_on
            var.past = [*self.turns] if remembers else None
            if copies:
                others = [(k, i, at("d", before, k)) for i, k in enumerate(keys, 1) if k != key]
                var.tail = f"/{key}/", [(f"{k}{i}", name) for k, i, name in others if before]
                var.beside = [[at("d", before, k) for k in keys]] if before else []
            self.var(var)
        drafts = [at("d", key=key) for key in keys]
        if parses:
            for key in keys:
                self.var(Var(at("p", key=key), "parse", [[at("d", key=key)]], gates=go_on))
            drafts = [at("p", key=key) for key in keys]
        self.var(Var(at("v"), "choice", [drafts], "v", "v", options, gates=go_on))
        gates = {**go_on, **({at("v"): critique} if critique else {})}
        self.var(Var(at("crit"), "lm", [[at("v")]], "k", "crit", gates=gates))
        self.turns.append([*(at("d", key=key) for key in keys), at("crit")])
        self.shown = copies

    def end(self, read: str, repeat: int, copies: bool, remembers: bool) -> None:
        """What the loop gives: the last turn's value, read by a node or the answer itself."""
        is_group = "for_each" in self.spec["nodes"][read]
        keys = ["i", "j"] if is_group else [""]
        names = [f"{read}[{key},last]" if key else f"{read}[last]" for key in keys]
        if remembers and self.chance():
            self.features.add("history after the loop")
            past = "{% for t in turn %}[{{ t.d JOIN }},{{ t.crit }}]{% endfor %}"
            past = past.replace("JOIN", "| join('+')" if self.shown else "")
            self.node("end", {"kind": "lm", "model": "e", "prompt": f"end/{past}"}, ["d", "crit"])
            self.var(Var("end", "lm", [], "e", "end", past=[*self.turns], after=True))
            self.spec["outputs"] = ["end"]
            return
        for key, name in zip(keys, names, strict=True):
            turns = [f"{read}[{key},{n}]" if key else f"{read}[{n}]" for n in range(repeat, 0, -1)]
            self.var(Var(name, "last", [[turn] for turn in turns]))
        if self.chance():
            self.features.add("output in the loop")
            self.spec["outputs"] = ["mode", read]
            return
        join = " | join('+')" if is_group else ""
        self.node(
            "end", {"kind": "lm", "model": "e", "prompt": f"end/{{{{ {read}{join} }}}}"}, [read]
        )
        self.var(Var("end", "lm", [names], "e", "end"))
        self.spec["outputs"] = ["mode", "end"]

    # ---- a loop over a list

    def over(self) -> None:
        """Notes that are taken element by element, each seeing the note before or all of them."""
        self.features.add("over")
        remembers, gated = self.chance(), self.chance()
        self.values |= {"l": list(self.rng.sample(LISTS, 3)), "n": ["v", "w"], "e": ["f", "g"]}
        self.node("raw", {"kind": "lm", "model": "l", "prompt": "raw/{{ question }}"}, ["question"])
        self.var(Var("raw", "lm", [["question"]], "l", "raw"))
        self.node("items", {"kind": "parse", "parser": "items"}, ["raw"])
        self.var(Var("items", "split", [["raw"]]))
        past = "{% for t in turn %}[{{ t.n }}]{% endfor %}" if remembers else "{{ n }}"
        node: dict[str, Any] = {"kind": "lm", "model": "n"}
        node["prompt"] = f"n/{past}/{{{{ round }}}}of{{{{ rounds }}}}/{{{{ item }}}}"
        gate = {"mode": ("a",)} if gated else {}
        node |= {"when": {"mode": "a"}} if gated else {}
        self.spec["nodes"]["n"] = node
        self.spec["edges"] += ["mode -> n"] if gated else []
        loop: dict[str, Any] = {"over": "items", "as": "item", "nodes": ["n"]}
        loop |= {"history": ["n"]} if remembers else {"carry": ["n -> n"]}
        self.spec["loops"] = {"turn": loop}
        for number in (1, 2):
            before = [f"n[{number - 1}]"] if number > 1 else []
            var = Var(f"n[{number}]", "lm", [] if remembers else [before], "n", "n", gates=gate)
            var.element, var.past = ("items", number), [*self.turns] if remembers else None
            var.count = f"/{number}of"
            self.var(var)
            self.turns.append([f"n[{number}]"])
        self.features.add("history" if remembers else "fold")
        self.var(Var("n[last]", "last", [["n[2]"], ["n[1]"]]))
        self.node("end", {"kind": "lm", "model": "e", "prompt": "end/{{ n }}"}, ["n"])
        self.var(Var("end", "lm", [["n[last]"]], "e", "end"))
        self.spec["outputs"] = ["mode", "end"]
