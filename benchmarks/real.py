"""Keeps what `make real` measured, and writes it into docs/real.md.

    python -m benchmarks.real [runs/cards-study]

The study's rows go to benchmarks/real.json, and the table between the marks in docs/real.md is
written from that.
"""

import json
import sys
from pathlib import Path
from typing import Any

from sysgraph.measuring.evaluation import Estimate

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "real.json"
PAGE = ROOT / "docs" / "real.md"
MARKS = ("<!-- table -->\n", "<!-- end of table -->")
COLUMNS = {"score": "score", "perfect": "all rules kept", "against_before": "better than before"}


def main(study: Path) -> None:
    """Keeps the study in a folder, and writes the table."""
    found = json.loads((study / "study.json").read_text())
    rows = [
        {"name": row["name"], "seeds": len(row["seeds"])} | {key: row[key] for key in COLUMNS}
        for row in found["rows"]
    ]
    KEPT.write_text(json.dumps(rows, indent=1) + "\n")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_table(page: str) -> str:
    """The page with the table of what is kept."""
    head, mark, rest = page.partition(MARKS[0])
    tail = rest.partition(MARKS[1])[2]
    return f"{head}{mark}\n{table(json.loads(KEPT.read_text()))}\n{MARKS[1]}{tail}"


def table(rows: list[dict[str, Any]]) -> str:
    """A line a row of the study."""
    lines = [f"| | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        cells = ["-" if row[key] is None else str(Estimate(**row[key])) for key in COLUMNS]
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "runs" / "cards-study"))
