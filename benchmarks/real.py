"""Keeps what `make real` measured, and writes it into docs/real.md.

    python -m benchmarks.real [runs/cards-study]

The study's rows, and how often each rule was kept, go to benchmarks/real.json; the tables between
the marks in docs/real.md are written from that.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sysgraph.measuring.evaluation import Estimate
from sysgraph.support.plugin import load_file

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "real.json"
PAGE = ROOT / "docs" / "real.md"
COLUMNS = {"score": "score", "perfect": "all rules kept", "against_before": "better than before"}
TRAINED = ("asker alone", "answerer alone", "per node", "joint")


def main(study: Path) -> None:
    """Keeps the study in a folder, and writes the tables."""
    found = json.loads((study / "study.json").read_text())
    rows = [
        {"name": row["name"], "seeds": len(row["seeds"])} | {key: row[key] for key in COLUMNS}
        for row in found["rows"]
    ]
    files = {"before": sorted(study.glob("asker-alone/seed*/record/before/answers.jsonl"))}
    for name in TRAINED:
        folder = name.replace(" ", "-")
        files[name] = sorted(study.glob(f"{folder}/seed*/record/after/answers.jsonl"))
    rules = {name: shares(several) for name, several in files.items() if several}
    KEPT.write_text(json.dumps({"rows": rows, "rules": rules}, indent=1) + "\n")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def shares(files: Sequence[Path]) -> dict[str, float]:
    """How often each rule is kept by the cards in these files."""
    rules = load_file(str(ROOT / "graphs" / "real" / "cards.py")).rules
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    kept: Counter[str] = Counter()
    for row in rows:
        kept.update(
            rules(row["inputs"]["fact"], row["values"]["question"], row["values"]["answer"])
        )
    return {rule: kept[rule] / len(rows) for rule in kept}


def with_tables(page: str) -> str:
    """The page with the tables of what is kept."""
    kept = json.loads(KEPT.read_text())
    for mark, table in (("study", _study(kept["rows"])), ("rules", _rules(kept["rules"]))):
        head, begin, rest = page.partition(f"<!-- {mark} -->\n")
        tail = rest.partition("<!-- end -->")[2]
        page = f"{head}{begin}\n{table}\n<!-- end -->{tail}"
    return page


def _study(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = (
        ("-" if row[key] is None else str(Estimate(**row[key])) for key in COLUMNS) for row in rows
    )
    return _table(COLUMNS.values(), zip((row["name"] for row in rows), cells, strict=True))


def _rules(found: Mapping[str, Mapping[str, float]]) -> str:
    names = list(found["before"])
    return _table(
        names, ((row, (f"{of[name]:.2f}" for name in names)) for row, of in found.items())
    )


def _table(columns: Iterable[str], rows: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A table whose first column has the rows' names."""
    heads = list(columns)
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    return (
        "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)]) + "\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "runs" / "cards-study"))
