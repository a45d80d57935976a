"""Seven LMs on one base, an adapter each: two layers of three proposers and one aggregator."""

from pathlib import Path
from typing import Any

from . import pairs

LENGTHS = (60, 40)
"""Tokens of a question and of every node's text."""
_LAYER = (1, 2, 3)
NODES = (*(f"draft_{i}" for i in _LAYER), *(f"revision_{i}" for i in _LAYER), "answer")


def graph(model: Path) -> dict[str, Any]:
    """As graphs/moa.yaml, but for an adapter a node."""
    lm = {"kind": "causal_lm", "id": str(model), "train": "lora"}
    drafts, revisions = ([f"{layer}_{i}" for i in _LAYER] for layer in ("draft", "revision"))

    def prompt(before: list[str]) -> str:
        return "".join(f"{{{{ {name} }}}}\n" for name in ["question", *before])

    reads: dict[str, list[str]] = {
        **{name: [] for name in drafts},
        **dict.fromkeys(revisions, drafts),
        "answer": revisions,
    }
    return {
        "sysgraph": 1,
        "name": "seven",
        "models": dict.fromkeys(NODES, lm),
        "nodes": {
            "question": {"kind": "input"},
            **{n: {"kind": "lm", "model": n, "prompt": prompt(reads[n])} for n in NODES},
        },
        "edges": [f"{', '.join(['question', *reads[name]])} -> {name}" for name in NODES],
        "outputs": ["answer"],
    }


def rows(model: Path, count: int) -> list[dict[str, Any]]:
    """Pairs in which every node's text is another one."""
    question, text = LENGTHS
    made = iter(pairs.cut(model, count * len(NODES), question, text))
    found = []
    for _ in range(count):
        of = {name: next(made) for name in NODES}
        sides = {s: {n: pair[s] for n, pair in of.items()} for s in ("chosen", "rejected")}
        found.append({"inputs": {"question": of["answer"]["prompt"]}, **sides})
    return found
