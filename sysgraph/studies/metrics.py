"""What the metrics files of run folders say about their training."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from ..data.jsonl import read_jsonl
from ..measuring.evaluation import Estimate, estimate
from ..support.files import damaged, read_json
from ..training.folder import RunFolder
from .results import Draws

_REMEDY = "remove its folder, and start the study again"
Point = tuple[int, int, float]
"""A round, the steps of the run until then, and a value."""


def held_out_losses(run: Path, steps: int) -> list[Point]:
    """The loss on held-out pairs. Each round has pairs and a reference of its own.

    None of a run with `credit: node`: a sum of as many losses as nodes is no number to compare.
    """
    fit = read_json(RunFolder(run).program, _REMEDY)["fit"]
    return [] if fit["credit"] == "node" else _evaluated(run, steps, "eval_loss")


def held_out_accuracies(run: Path, steps: int) -> list[Point]:
    """The share of held-out pairs whose chosen side gained more; undefined before a first step."""
    points = _evaluated(run, steps, "eval_rewards/accuracies")
    return [(number, at, y) for number, at, y in points if at > number * steps]


def sampled(run: Path, steps: int, name: str = "score") -> list[Point]:
    """A mean over samples on held-out inputs, before each round and after the last.

    Where none are held out, on the inputs that each round trains on, before it does; without
    rounds, over the answers before and after training.

    Args:
        name: of the mean; `score`, or what else the scorer asks.
    """
    lines = _lines(run)
    for side in ("held_out", "train"):
        key = f"{name}/{side}"
        found = [(0, line["round"] * steps, line[key]) for line in lines if key in line]
        if found:
            return found
    ends = {"before": 0, "after": max((line.get("step", 0) for line in lines), default=0)}
    return [
        (0, ends[line["evaluation"]], line[name])
        for line in lines
        if line.get("evaluation") in ends and line.get(name) is not None
    ]


def draws(drawn: int, runs: Sequence[Path]) -> Draws | None:
    """What these runs drew to sum over; None where no metrics tell."""
    lines = [[line for line in _lines(run) if "sampling/distinct" in line] for run in runs]
    told = [several for several in lines if several]
    if not told:
        return None

    def mean(name: str) -> Estimate:
        key = f"sampling/{name}"
        return estimate([fmean(line[key] for line in run if key in line) for run in told])

    return Draws(
        drawn=drawn,
        distinct=mean("distinct"),
        effective=mean("ess"),
        covered=mean("covered_mass"),
    )


def _evaluated(run: Path, steps: int, name: str) -> list[Point]:
    return [
        (line["round"], line["round"] * steps + line["step"], line[name])
        for line in _lines(run)
        if name in line
    ]


def _lines(run: Path) -> list[dict[str, Any]]:
    """What each line says; null stands for a number that was not finite."""
    file = RunFolder(run).metrics
    lines = [fields for _, fields in read_jsonl(file)]
    broken = next((line for line in lines if isinstance(line, str)), None)
    if broken is not None:
        raise damaged(file, broken, _REMEDY)
    return [
        {name: v for name, v in line.items() if v is not None}
        for line in lines
        if not isinstance(line, str)
    ]
