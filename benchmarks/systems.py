"""Every graph of graphs/ that trains on a toy world within minutes: what training gives it.

    python benchmarks/systems.py [NAME ...]

Each is trained as its file says, by `sysgraph.fit`; what was measured is kept in
benchmarks/systems.json, and the table between the marks in docs/systems.md is written from that.
Times are of this machine and of whatever else it did: read them as an order of magnitude.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sysgraph
from sysgraph import System
from sysgraph.data import load_inputs
from sysgraph.measuring.evaluation import Estimate, evaluate

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "systems.json"
PAGE = ROOT / "docs" / "systems.md"
MARKS = ("<!-- table -->", "<!-- end of table -->")
SYSTEMS = (
    *("moa", "two_stage", "router", "debate", "self_refine", "refine", "chain", "rag", "tools"),
    *("verify", "best_of_n", "adversary", "chatgpt"),
)


def main(names: list[str]) -> None:
    """Trains and measures the systems, and writes the table after each."""
    for name in names or SYSTEMS:
        known = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
        KEPT.write_text(json.dumps({**known, name: measured(name)}, indent=2) + "\n")
        write_table()


def measured(name: str) -> dict[str, Any]:
    """What training gives one system."""
    file = ROOT / "graphs" / f"{name}.yaml"
    with tempfile.TemporaryDirectory() as before:
        settings = []
        if name == "adversary":  # as its file says: the liar first
            first = ("fit.train=[liar]", "fit.scorer=misled")
            sysgraph.fit(sysgraph.load(file, first), output=before)
            settings = [f"models.liar.id={before}/models/liar"]
        return _measured(sysgraph.load(file, settings))


def _measured(graph: sysgraph.Graph) -> dict[str, Any]:
    program = sysgraph.compile(graph)
    rows = load_inputs(program, str(graph.fit.eval_inputs))
    best = evaluate(System(program), rows, str(graph.fit.scorer), best_of=4)
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder) / "pairs"  # of held-out inputs, from the system before training
        inputs, scorer = str(graph.fit.eval_inputs), str(graph.fit.scorer)
        sysgraph.collect(graph, inputs=inputs, scorer=scorer, samples=4, output=pairs)
        began = time.monotonic()
        run = sysgraph.fit(graph, output=Path(folder) / "run")
        seconds = time.monotonic() - began
        credit = run.credit(str(pairs))
    assert run.before is not None
    assert run.after is not None
    return {
        "before": run.before.score.model_dump(),
        "best of 4": best.score.model_dump(),
        "after": run.after.score.model_dump(),
        "seconds": round(seconds),
        "credit": {one.model: one.share for one in credit.models},
    }


def write_table() -> None:
    """Replaces the table in the page by that of what is kept."""
    found = json.loads(KEPT.read_text())
    lines = [
        "| system | before | best of 4 | after | seconds | credit |",
        "|---|---|---|---|---|---|",
    ]
    for name in SYSTEMS:
        if name in found:
            one = found[name]
            scores = [str(Estimate(**one[key])) for key in ("before", "best of 4", "after")]
            credit = ", ".join(f"{model} {_percent(x)}" for model, x in one["credit"].items())
            link = f"[{name}](../graphs/{name}.yaml)"
            lines.append(f"| {link} | {' | '.join(scores)} | {one['seconds']} | {credit} |")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    table = "\n".join(lines)
    PAGE.write_text(f"{head}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def _percent(share: float | None) -> str:
    """A share of the margin; of none that can be told from 0, there is none."""
    return "-" if share is None else f"{share:.0%}"


if __name__ == "__main__":
    main(sys.argv[1:])
