"""Keeps what the study of graphs/progression_ordered.yaml measured, and writes it into a page.

    python -m sysgraph study graphs/progression_ordered.yaml
    python -m benchmarks.progression

What is kept goes to benchmarks/progression.json, and the tables between the marks in
docs/progression.md are written from that. Why rows come out as they do is read off the runs' own
answers, and off pairs of either graph's untrained system, which are collected for it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import sysgraph
from sysgraph.measuring.evaluation import estimate
from sysgraph.toys.progression import attribute_named, measured
from sysgraph.toys.progression.world import LEVELS, N_CAPTIONS, SEPARATOR, intensity

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "progression.json"
PAGE = ROOT / "docs" / "progression.md"
STUDY = ROOT / "runs" / "progression_ordered-study"
GRAPHS = ("progression", "progression_ordered")
ORDER = "order consistent"


class Answer(NamedTuple):
    """What captions asked for, and what pictures show, of the attribute that was asked for."""

    attribute: str
    levels: list[int]
    shown: list[float]


def main() -> None:
    """Keeps the study, and writes the tables."""
    found = json.loads((STUDY / "study.json").read_text())
    kept = {
        "rows": {row["name"]: by_seed(row["seeds"]) for row in found["rows"]},
        "answers": {
            row: shares([*answers(sorted(STUDY.glob(pattern)))])
            for row, pattern in {
                "before": "joint/seed*/record/before/answers.jsonl",
                "captioner alone": "captioner-alone/seed*/record/after/answers.jsonl",
                "painter alone": "painter-alone/seed*/record/after/answers.jsonl",
                "joint": "joint/seed*/record/after/answers.jsonl",
            }.items()
        },
        "lessons": {graph: lesson(collected(graph)) for graph in GRAPHS},
    }
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def by_seed(seeds: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """A row's numbers, seed by seed."""
    found = [seed["evaluation"] for seed in seeds]
    against = [seed["against_before"] for seed in seeds]
    return {
        "score": [one["score"]["mean"] for one in found],
        ORDER: [one["shares"][ORDER]["mean"] for one in found],
        "better than before": [one["win_rate"]["mean"] for one in against if one],
    }


def collected(graph: str) -> Path:
    """The folder with the pairs of an untrained system, four answers an input."""
    folder = ROOT / "runs" / f"{graph}-pairs"
    sysgraph.collect(
        ROOT / "graphs" / f"{graph}.yaml",
        inputs="toy:progression/train",
        output=folder,
        scorer="progression",
        samples=4,
    )
    return folder


def answers(files: Iterable[Path]) -> Iterator[Answer]:
    """The answers in files that have three captions and their pictures."""
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if not row["failed"]:
                yield read(row["extra"]["attribute"], row["values"], file.parent)


def read(attribute: str, values: Mapping[str, Any], folder: Path) -> Answer:
    """One answer, from its row."""
    words = [caption.split()[0] for caption in values["text"].split(SEPARATOR)]
    named = attribute_named(attribute)
    shown = [measured(named, Image.open(folder / picture)) for picture in values["image"]]
    return Answer(attribute, [LEVELS.index(word) for word in words], shown)


def shares(found: Sequence[Answer]) -> dict[str, float]:
    """What the captions do, and how far the pictures follow them."""
    follows, strays = followed(found)
    return {
        "captions in order": fmean(a.levels == sorted({*a.levels}) for a in found),
        "from first to last, words": fmean(a.levels[-1] - a.levels[0] for a in found),
        "followed": follows,
        "strays by": strays,
    }


def followed(found: Sequence[Answer]) -> tuple[float, float]:
    """Slope of what is shown on what was asked for, and the standard deviation around that line.

    Each attribute has a line of its own; of the slopes, the mean.
    """
    slopes, errors = [], []
    for name in sorted({a.attribute for a in found}):
        own = [a for a in found if a.attribute == name]
        asked = np.array([intensity(level) for a in own for level in a.levels])
        shown = np.array([value for a in own for value in a.shown])
        slope, begin = np.polyfit(asked, shown, 1)
        slopes.append(float(slope))
        errors.append(float((shown - begin - slope * asked).std()))
    return fmean(slopes), fmean(errors)


def lesson(folder: Path) -> dict[str, float]:
    """What a collection's pairs teach a painter, who sees a caption and not its place.

    A picture goes its caption's way as far as it shows more than others of that caption where the
    caption's word is above the middle one, and less where it is below.
    """
    lines = (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [
        [read(row["attribute"], row[side], folder) for side in ("chosen", "rejected")]
        for row in map(json.loads, lines)
        if row["rejected"].get("image")
    ]
    shown: dict[tuple[str, int], list[float]] = {}
    for one in (a for pair in pairs for a in pair):
        for level, value in zip(one.levels, one.shown, strict=True):
            shown.setdefault((one.attribute, level), []).append(value)
    usual = {key: fmean(values) for key, values in shown.items()}
    middle = (len(LEVELS) - 1) / 2

    def goes(one: Answer) -> float:
        found = zip(one.levels, one.shown, strict=True)
        more = ((level - middle) * (v - usual[one.attribute, level]) for level, v in found)
        return sum(more) / (N_CAPTIONS * middle)

    differences = np.array([goes(chosen) - goes(rejected) for chosen, rejected in pairs])
    both = np.array([all(a.levels == sorted({*a.levels}) for a in pair) for pair in pairs])
    return {
        "pairs": len(pairs),
        "captions in order on both sides": float(both.mean()),
        "their part of the lesson": float(differences[both].sum() / differences.sum()),
        "chosen goes its captions' way more": float((differences > 0).mean()),
        "difference in standard deviations": float(differences.mean() / differences.std()),
    }


def with_tables(page: str) -> str:
    """The page with the tables of what is kept."""
    kept = json.loads(KEPT.read_text())
    tables = {
        "study": _study(kept["rows"]),
        "answers": _numbers(kept["answers"]),
        "lessons": _numbers(kept["lessons"]),
    }
    for mark, table in tables.items():
        head, begin, rest = page.partition(f"<!-- {mark} -->\n")
        tail = rest.partition("<!-- end -->")[2]
        page = f"{head}{begin}\n{table}\n<!-- end -->{tail}"
    return page


def _study(rows: Mapping[str, Mapping[str, list[float]]]) -> str:
    cells = {}
    for name, row in rows.items():
        above = [_paired(row, rows["before"]), _paired(rows["joint"], row)]
        cells[name] = [*map(_shown, row.values()), *above]
    return _table([*rows["joint"], "above before", "joint above it"], cells)


def _paired(row: Mapping[str, list[float]], other: Mapping[str, list[float]]) -> str:
    """The score's difference, seed by seed."""
    differences = [a - b for a, b in zip(row["score"], other["score"], strict=True)]
    return _shown(differences if any(differences) else [])


def _shown(values: Sequence[float]) -> str:
    return str(estimate(values)) if values else "-"


def _numbers(found: Mapping[str, Mapping[str, float]]) -> str:
    names = next(iter(found.values()))
    cells = {row: [_number(of[name]) for name in names] for row, of in found.items()}
    return _table(names, cells)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.2f}"


def _table(columns: Iterable[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A table whose first column has the rows' names."""
    heads = list(columns)
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
