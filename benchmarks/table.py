"""The table of docs/benchmarks.md, from results.json."""

from pathlib import Path

from .results import Results
from .row import Row

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
KEPT = Path(__file__).parent / "results.json"
MARKS = ("<!-- table -->", "<!-- end of table -->")
_HEAD = (
    "| row | work | against | ratio | goal | FLOPs | peak memory | note |",
    "|---|---|---|---|---|---|---|---|",
)


def line(row: Row) -> str:
    """A row in words."""
    goal = "" if row.goal is None else f", {_goal(row)}"
    return f"{row.work} / {row.against}: {row.ratio:.2f} ({row.measure}){goal}"


def write(results: Results) -> None:
    """Replaces the table in the page by that of `results`."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    made = f"{head}{MARKS[0]}\n\n{text(results)}\n\n{MARKS[1]}{tail}"
    PAGE.write_text(made, encoding="utf-8")


def text(results: Results) -> str:
    """The tables of all devices."""
    return "\n\n".join(_of(results, device) for device in results.devices)


def _of(results: Results, device: str) -> str:
    rows = [row for several in results.rows(device).values() for row in several]
    machines: dict[str, list[str]] = {}
    for name, one in results.machines(device).items():
        machines.setdefault(", ".join(f"{k} {v}" for k, v in one.items()), []).append(name)
    said = "\n".join(f"{', '.join(names)}: {text}.  " for text, names in machines.items())
    lines = [_line(row, times=device != "cpu") for row in rows]
    return "\n".join([f"On {device}. {said}", "", *_HEAD, *lines])


def _line(row: Row, *, times: bool) -> str:
    flops = "" if row.flops is None else f"{row.flops:.2f}x"
    memory = ", ".join(f"{side} {mib:,.0f} MiB" for side, mib in row.memory.items())
    note = [row.note] if row.note else []
    if times:
        note += [f"{side} {sorted(s)[len(s) // 2]:.4g} s" for side, s in row.times.items() if s]
    unit = "x" if "/" in row.measure else ""
    cells = [
        row.row,
        row.work,
        row.against,
        f"{row.ratio:.2f}{unit}",
        "" if row.goal is None else _goal(row),
        flops,
        memory,
        "; ".join(note),
    ]
    return f"| {' | '.join(cells)} |"


def _goal(row: Row) -> str:
    sign = "≤" if row.at_most else "≥"
    return f"{sign} {row.goal:g}: {'reached' if row.reached else '**not reached**'}"
