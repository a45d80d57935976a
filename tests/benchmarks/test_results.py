"""What is kept of measurements, and the table that docs show of it."""

import json
from dataclasses import replace
from pathlib import Path

from benchmarks import table
from benchmarks.results import Results
from benchmarks.row import Row

ROW = Row(
    row="A1",
    work="step",
    against="TRL",
    ratio=1.5,
    goal=2.0,
    flops=1.25,
    memory={"TRL": 2000.4},
    times={"TRL": [3.0, 30.0, 2.0]},
)
ASKED = {"device": "cpu", "quick": False, "machine": {"cores": 2}}


def test_the_page_shows_what_was_measured() -> None:
    shown = table.PAGE.read_text("utf-8").partition(table.MARKS[0])[2].partition(table.MARKS[1])[0]
    assert shown.strip() == table.text(Results(table.KEPT)).strip()


def test_a_row_that_is_measured_again_is_replaced(tmp_path: Path) -> None:
    kept = Results(tmp_path / "r.json")
    kept.put("B", [ROW], ASKED)
    kept.put("A1", [ROW, replace(ROW, against="plain code")], ASKED)
    kept.put("A1", [replace(ROW, ratio=2.5)], {**ASKED, "machine": {"cores": 4}})
    again = Results(kept.path)
    assert again.rows("cpu") == {"A1": [replace(ROW, ratio=2.5)], "B": [ROW]}
    assert again.machines("cpu") == {"A1": {"cores": 4}, "B": {"cores": 2}}


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    Results(tmp_path / "r.json").plan(["B", "C"], ASKED)
    again = Results(tmp_path / "r.json")
    assert again.left({**ASKED, "machine": {"cores": 4}}) == []
    assert again.left(ASKED) == ["B", "C"]
    again.plan([], ASKED)
    assert Results(tmp_path / "r.json").left(ASKED) == []


def test_a_cpu_has_no_seconds(tmp_path: Path) -> None:
    kept = Results(tmp_path / "r.json")
    kept.put("A1", [ROW, replace(ROW, at_most=True)], ASKED)
    kept.put("A1", [ROW], {**ASKED, "device": "cuda"})
    cpu, cuda = table.text(kept).split("On cuda")
    assert "| A1 | step | TRL | 1.50x | ≥ 2: **not reached** | 1.25x | TRL 2,000 MiB |  |" in cpu
    assert "| ≤ 2: reached |" in cpu
    assert "TRL 3 s" not in cpu
    assert "TRL 3 s" in cuda
    json.loads(kept.path.read_text("utf-8"))
