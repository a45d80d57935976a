"""What the settings of `fit:` do, one at a time: the measurements behind docs/tuning.md.

    python -m benchmarks.tuning [SWEEP ...]

Trains a small system at a few values of each setting and scores it on held-out inputs. What was
measured is kept in benchmarks/tuning.json and not measured again, and the tables between the marks
in docs/tuning.md are written from it. A sweep takes a core some minutes on the toy world, and tens
of minutes on the real model, whose sweeps begin with `real`.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sysgraph
from sysgraph.measuring.evaluation import Estimate
from sysgraph.studies.results import mean_estimate
from sysgraph.support.plugin import load_file

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "tuning.json"
PAGE = ROOT / "docs" / "tuning.md"


@dataclass(frozen=True)
class Base:
    """A system and how it is trained where a sweep does not say otherwise."""

    graph: str
    settings: Mapping[str, Any]
    seeds: int


@dataclass(frozen=True)
class Sweep:
    """One question: a system, and the settings of each row by its label."""

    base: Base
    rows: Mapping[str, Mapping[str, Any]]


TOY = Base(
    "graphs/two_stage.yaml",
    {
        "fit.rounds": 2,
        "fit.steps": 40,
        "fit.learning_rate": "2e-3",
        "fit.beta": 0.5,
        "fit.anchor": 0.3,
        "fit.sampling.k": 2,
    },
    seeds=3,
)
REAL = Base(
    "graphs/real/cards.yaml",
    {
        "fit.eval_inputs": "graphs/real/dev.jsonl",
        "fit.rounds": 1,
        "fit.steps": 10,
        "fit.learning_rate": "1e-3",
        "fit.beta": 0.1,
    },
    seeds=1,
)


def _one(key: str, *values: Any) -> dict[str, dict[str, Any]]:
    return {f"{value}": {f"fit.{key}": value} for value in values}


SWEEPS = {
    "learning_rate": Sweep(TOY, _one("learning_rate", "5e-4", "2e-3", "8e-3")),
    "beta": Sweep(TOY, _one("beta", 0.05, 0.5, 5)),
    "anchor": Sweep(TOY, _one("anchor", 0, 0.3, 1)),
    "rounds": Sweep(
        TOY,
        {
            f"{rounds} of {80 // rounds} steps": {"fit.rounds": rounds, "fit.steps": 80 // rounds}
            for rounds in (1, 2, 4)
        },
    ),
    "k": Sweep(TOY, _one("sampling.k", 1, 2, 4)),
    "real learning_rate": Sweep(REAL, _one("learning_rate", "1e-4", "1e-3", "4e-3")),
    "real beta": Sweep(REAL, _one("beta", 0.1, 0.5)),
    "real rounds": Sweep(
        REAL,
        {
            f"{rounds} of {20 // rounds} steps": {"fit.rounds": rounds, "fit.steps": 20 // rounds}
            for rounds in (1, 2)
        },
    ),
}


def main(names: list[str]) -> None:
    """Measures what is missing, and writes the tables after each training."""
    for name in names or SWEEPS:
        sweep = SWEEPS[name]
        for settings in sweep.rows.values():
            for seed in range(sweep.base.seeds):
                key, known = called(sweep.base, settings, seed), kept()
                if key not in known:
                    found = measured(sweep.base, settings, seed)
                    KEPT.write_text(json.dumps({**known, key: found}, indent=1) + "\n")
                write_tables()


def kept() -> dict[str, Any]:
    """What was measured, by command."""
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    return found


def called(base: Base, settings: Mapping[str, Any], seed: int) -> str:
    """The command of one training."""
    words = [f"--set {k}={v}" for k, v in sorted({**base.settings, **settings}.items())]
    return " ".join(["sysgraph fit", base.graph, *words, f"--set fit.seed={seed}"])


def measured(base: Base, settings: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The held-out score of one training, before and after."""
    given = {**base.settings, **settings, "fit.seed": seed}
    scorer = None
    if base is REAL:
        from .real_model import pretrained

        given["vars.base"] = pretrained()
        scorer = load_file(str(ROOT / "graphs" / "real" / "cards.py")).cards
    graph = sysgraph.load(ROOT / base.graph, [f"{key}={value}" for key, value in given.items()])
    with tempfile.TemporaryDirectory() as folder:
        run = sysgraph.fit(graph, output=Path(folder) / "run", scorer=scorer)
    assert run.before is not None
    assert run.after is not None
    return {"before": run.before.score.model_dump(), "after": run.after.score.model_dump()}


def write_tables() -> None:
    """Replaces the tables in the page by those of what is kept."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(page: str) -> str:
    """The page, with each table after its mark as it follows from what is kept."""
    for name, sweep in SWEEPS.items():
        head, mark, rest = page.partition(f"<!-- {name} -->\n")
        if mark:
            tail = rest.partition("<!-- end -->")[2]
            page = f"{head}{mark}\n{table(sweep)}\n<!-- end -->{tail}"
    return page


def table(sweep: Sweep) -> str:
    """The rows of a sweep of which every seed was measured."""
    lines, known = ["| | before | after |", "|---|---|---|"], kept()
    for label, settings in sweep.rows.items():
        seeds = [known.get(called(sweep.base, settings, i)) for i in range(sweep.base.seeds)]
        found = [one for one in seeds if one is not None]
        if len(found) == sweep.base.seeds:
            cells = (
                mean_estimate([Estimate(**one[side]) for one in found])
                for side in ("before", "after")
            )
            lines.append(f"| {label} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
