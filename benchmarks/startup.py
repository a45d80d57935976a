"""Whole processes of the command line against one that imports what it is built of, and no more.

    python -m benchmarks.startup

`sysgraph compile graphs/moa.yaml` and its siblings stand beside a process that imports pydantic,
networkx, jinja2, yaml, typer and rich alone; graphs of 10,000 nodes beside graphs/moa.yaml. The two
run in turn. A pair's ratio is of CPU seconds, user and system, of the whole process: another
program on the machine moves them less than the clock. The median of all pairs counts. Both have
their bytecode, as an installed package has it: it is written to a folder of the benchmark's own,
and the first run of each is left out.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .compile_10000_nodes import SHAPES

ROOT = Path(__file__).parents[1]
MOA = str(ROOT / "graphs" / "moa.yaml")
LIBRARIES = ["-c", "import pydantic, networkx, jinja2, yaml, typer, rich"]
SIBLINGS = (["check", MOA], ["draw", MOA], ["explain", "SG205"], ["--help"], ["--version"])
PAIRS = 15
LARGE, LARGE_PAIRS = 10_000, 5
"""Of graphs that take seconds, fewer pairs say as much: the spread is a few percent."""
LARGE_SHAPES = ("chain", "layers of 3", "for_each", "loop")
"""Those that are a file with 10,000 nodes; routers are beyond what one may hold (SG006)."""

Row = dict[str, object]


def measure() -> list[Row]:
    """The rows: `ratio` is of `work` to `against`, `goal` at most that (None: none is set)."""
    return list(rows())


def rows() -> Iterator[Row]:
    """The same, each as soon as it is measured."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **{key: at for key, at in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "compiler", ROOT / "schemas"))),
            "PYTHONPYCACHEPREFIX": str(Path(folder) / "bytecode"),
            "OMP_NUM_THREADS": "1",
        }
        yield _row(["compile", MOA], LIBRARIES, 1.5, PAIRS, environment)
        for words in SIBLINGS:
            yield _row(words, LIBRARIES, None, PAIRS, environment)
        moa = _command("compile", MOA)
        for shape in LARGE_SHAPES:
            file = Path(folder) / f"{shape.replace(' ', '_')}.yaml"
            file.write_text(SHAPES[shape](LARGE), encoding="utf-8")
            row = _row(["compile", str(file)], moa, 8.0, LARGE_PAIRS, environment)
            row["work"] = f"sysgraph compile, {LARGE:,} nodes: {shape}"
            yield row


def _row(
    words: Sequence[str],
    against: Sequence[str],
    goal: float | None,
    pairs: int,
    environment: Mapping[str, str],
) -> Row:
    work = _command(*words)
    for command in (work, against):
        _seconds(command, environment)
    found = [(_seconds(work, environment), _seconds(against, environment)) for _ in range(pairs)]
    ratios = sorted(ours / theirs for ours, theirs in found)
    is_large = against is not LIBRARIES
    return {
        "row": "H",
        "work": " ".join(["sysgraph", *(word.replace(f"{ROOT}/", "") for word in words)]),
        "against": "sysgraph compile graphs/moa.yaml" if is_large else f"python: {against[1]}",
        "ratio": statistics.median(ratios),
        "goal": goal,
        "note": f"CPU seconds of whole processes, median of {pairs} pairs in turn, "
        f"from {ratios[0]:.2f} to {ratios[-1]:.2f}",
    }


def _command(*words: str) -> list[str]:
    return ["-m", "sysgraph", *words]


def _seconds(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """CPU seconds of a process of Python, from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    for row in rows():
        goal = "" if row["goal"] is None else f"(goal: at most {row['goal']})"
        print(f"{row['ratio']:6.2f}x  {row['work']}  {goal}\n         {row['note']}", flush=True)


if __name__ == "__main__":
    main()
