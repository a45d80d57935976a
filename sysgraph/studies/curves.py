"""Training curves of a study's rows, as JSON and a picture (arXiv 2502.17721, Figures 6 and 7)."""

import functools
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from sysgraph_compiler.drawing.raster import MissingExtraError, png

from ..measuring.evaluation import estimate
from ..measuring.scorers import Scorer
from ..reports.charts import Series, line_chart
from ..support.files import write_bytes, write_text
from .bench import Bench
from .metrics import Point, held_out_accuracies, held_out_losses, sampled


class Curve(BaseModel):
    """Means over `n` runs each and their 95 % band (Student's t); no band where all are equal.

    `round` and `step` say when: a round has its own pairs and reference, `step` counts the run's.
    """

    round: list[int]
    step: list[int]
    mean: list[float]
    low: list[float | None]
    high: list[float | None]
    n: list[int]


@dataclass(frozen=True)
class _Panel:
    """One chart of the picture: what the metrics files give for it.

    Args:
        limits: between which the values are; a band is drawn no further.
    """

    name: str
    title: str
    label: str
    read: Callable[[Path, int], list[Point]]
    limits: tuple[float, float] = (-math.inf, math.inf)


_BY_ROUND = "pairs held out of each round"
_PANELS = (
    _Panel("loss", f"Loss on {_BY_ROUND}", "loss", held_out_losses),
    _Panel(
        "accuracy", f"Reward accuracy on {_BY_ROUND}", "accuracy", held_out_accuracies, (0.0, 1.0)
    ),
    _Panel("score", "Score of samples", "score", sampled),
)
_STEPS = "optimizer steps (lines: means over seeds, bands: 95 %)"


def write_curves(bench: Bench, runs: Mapping[str, Sequence[Path]], stem: str) -> None:
    """Writes `stem`.json, .svg and, where resvg is installed, .png; nothing without metrics.

    Args:
        runs: the run folders of each row, one a seed.
    """
    steps = bench.program.fit.steps
    found = [(panel, _curves(panel, runs, steps)) for panel in _panels(bench.scorer)]
    charts = [_chart(panel, rows) for panel, rows in found if rows]
    if not charts:
        return
    plain = {
        panel.name: {row: one.model_dump() for row, one in rows.items()} for panel, rows in found
    }
    svg = _stacked(charts)
    write_text(bench.root / f"{stem}.json", json.dumps(plain, indent=2) + "\n")
    write_text(bench.root / f"{stem}.svg", svg)
    try:
        write_bytes(bench.root / f"{stem}.png", png(svg))
    except MissingExtraError as error:
        bench.reporter.line(f"no {stem}.png: {error}")


def _panels(scorer: Scorer) -> tuple[_Panel, ...]:
    success = scorer.success
    if success is None:
        return _PANELS
    title = f"Share of samples that are {success.name}"
    read = functools.partial(sampled, name=success.name)
    return (*_PANELS, _Panel(success.name, title, "share", read, (0.0, 1.0)))


def mean_curve(runs: Iterable[Sequence[Point]]) -> Curve:
    """The mean of several runs' points at each step that some of them have."""
    values: dict[tuple[int, int], list[float]] = defaultdict(list)
    for points in runs:
        for number, step, value in points:
            values[number, step].append(value)
    order = sorted(values)
    means = [estimate(values[at]) for at in order]
    # A value is finite or not there, so each mean is.
    return Curve(
        round=[number for number, _ in order],
        step=[step for _, step in order],
        mean=[e.mean if e.mean is not None else math.nan for e in means],
        low=[e.low for e in means],
        high=[e.high for e in means],
        n=[e.n for e in means],
    )


def _curves(panel: _Panel, runs: Mapping[str, Sequence[Path]], steps: int) -> dict[str, Curve]:
    """The curve of each row that has one."""
    found = {row: mean_curve(panel.read(run, steps) for run in each) for row, each in runs.items()}
    return {row: curve for row, curve in found.items() if curve.step}


def _chart(panel: _Panel, rows: Mapping[str, Curve]) -> str:
    series = [_series(row, curve, *panel.limits) for row, curve in rows.items()]
    return line_chart(series, title=panel.title, x_label=_STEPS, y_label=panel.label)


def _series(name: str, curve: Curve, least: float, most: float) -> Series:
    """A line with a gap before every round: what it shows starts anew there."""
    x: list[float] = []
    values: list[tuple[float, float, float]] = []
    ends = zip(curve.mean, curve.low, curve.high, strict=True)
    for i, (step, (mean, low, high)) in enumerate(zip(curve.step, ends, strict=True)):
        if i and curve.round[i] != curve.round[i - 1]:
            x.append(step)
            values.append((math.nan, math.nan, math.nan))
        x.append(step)
        lowest = math.nan if low is None else max(low, least)
        values.append((mean, lowest, math.nan if high is None else min(high, most)))
    y, lows, highs = zip(*values, strict=True)
    return Series(name, x, y, lows, highs)


def _stacked(charts: Sequence[str]) -> str:
    """The charts under each other, as one SVG document."""
    sizes = [_size(chart) for chart in charts]
    width, height = max(w for w, _ in sizes), sum(h for _, h in sizes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img">'
    ]
    top = 0.0
    for chart, (_, tall) in zip(charts, sizes, strict=True):
        parts.append(chart.replace("<svg ", f'<svg y="{top:g}" ', 1).rstrip("\n"))
        top += tall
    return "\n".join([*parts, "</svg>"]) + "\n"


def _size(svg: str) -> tuple[float, float]:
    found = re.match(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"', svg)
    assert found is not None, "`line_chart` writes its size"
    return float(found[1]), float(found[2])
