"""Training curves: means and bands by hand, from the metrics files of the runs."""

import itertools
import json
import math
import statistics
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from sysgraph import Scorer, Trace
from sysgraph.measuring.scorers.base import Success
from sysgraph.studies.curves import mean_curve

from .conftest import Build, Finished, mean, run

CURVED = ["m alone", "n alone", "one sample", "joint"]
STEPS = 5


def lines(root: Path, row: str, seed: int) -> list[dict[str, Any]]:
    file = root / row.replace(" ", "-") / f"seed{seed}" / "metrics.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def curves(root: Path) -> dict[str, dict[str, dict[str, list[Any]]]]:
    found: dict[str, dict[str, dict[str, list[Any]]]]
    found = json.loads((root / "curves.json").read_text())
    return found


def test_the_mean_of_runs_that_do_not_have_the_same_points() -> None:
    curve = mean_curve([[(0, 0, 1.0), (0, 5, 2.0), (1, 5, 7.0)], [(0, 0, 3.0), (0, 5, 2.0)]])
    assert (curve.round, curve.step, curve.n) == ([0, 0, 1], [0, 5, 5], [2, 2, 1])
    assert curve.mean == [2, 2, 7]
    half = 12.706204736  # t(1, 0.975) * stdev / sqrt(2) of 1 and 3
    assert curve.low == [pytest.approx(2 - half), None, None]
    assert curve.high == [pytest.approx(2 + half), None, None]


@pytest.mark.parametrize("row", CURVED)
def test_each_point_is_the_mean_of_the_runs(row: str, trainings: Finished) -> None:
    found = curves(trainings.root)
    runs = [lines(trainings.root, row, seed) for seed in (0, 1)]
    for name, key in (("loss", "eval_loss"), ("accuracy", "eval_rewards/accuracies")):
        values: dict[tuple[int, int], list[float]] = defaultdict(list)
        for line in itertools.chain(*runs):
            if key in line and (name == "loss" or line["step"] > 0):
                values[line["round"], line["round"] * STEPS + line["step"]].append(line[key])
        curve = found[name][row]
        assert list(zip(curve["round"], curve["step"], strict=True)) == sorted(values)
        assert max(map(len, values.values())) == 2
        for i, at in enumerate(sorted(values)):
            several = values[at]
            assert curve["n"][i] == len(several)
            assert curve["mean"][i] == pytest.approx(statistics.fmean(several))
            if len(several) == 2:
                assert (curve["low"][i], curve["high"][i]) == (
                    mean(several)["low"],
                    mean(several)["high"],
                )
    score = found["score"][row]
    assert score["step"] == [0, 5, 10]
    for i in range(3):
        several = [[x for x in run if "score/held_out" in x][i]["score/held_out"] for run in runs]
        assert score["mean"][i] == mean(several)["mean"]


def test_the_picture_has_a_chart_a_measure_and_a_line_a_row(trainings: Finished) -> None:
    svg = (trainings.root / "curves.svg").read_text()
    space = "{http://www.w3.org/2000/svg}"
    charts = ET.fromstring(svg).findall(f"{space}svg")
    bottoms = [float(c.attrib["y"]) + float(c.attrib["height"]) for c in charts]
    assert [float(c.attrib["y"]) for c in charts] == [0, *bottoms[:-1]], "none covers another"
    assert float(ET.fromstring(svg).attrib["height"]) == bottoms[-1]
    for chart in charts:
        groups = [g for g in chart.findall(f"{space}g") if g.attrib.get("class") == "series"]
        assert [g.findtext(f"{space}title") for g in groups] == CURVED
    (line,) = charts[0].findall(f"{space}g[@class='series']")[:1]
    strokes = [p for p in line.findall(f"{space}path") if p.attrib["fill"] == "none"]
    rounds = set(curves(trainings.root)["loss"][CURVED[0]]["round"])
    assert len(strokes) == len(rounds) == 2, "each round's line begins anew"
    png = (trainings.root / "curves.png").read_bytes()
    assert png.startswith(b"\x89PNG")


def test_the_loss_per_node_is_no_loss_to_compare(twins: Build, tmp_path: Path) -> None:
    run(twins(eval_fraction=0.4), tmp_path / "study")
    found = curves(tmp_path / "study")
    assert "per node" not in found["loss"]
    assert "per node" in found["accuracy"]
    assert "per node" in found["score"]


def test_with_no_input_held_out_the_score_is_that_of_each_round(
    twins: Build, tmp_path: Path
) -> None:
    run(twins(eval_fraction=0), tmp_path / "study")
    for row, score in curves(tmp_path / "study")["score"].items():
        found = [x["score/train"] for x in lines(tmp_path / "study", row, 0) if "score/train" in x]
        assert (score["step"], score["mean"]) == ([0, STEPS], found)


def test_what_else_the_scorer_asks_has_a_curve_of_its_own(twins: Build, tmp_path: Path) -> None:
    """Here it asks what the score says, before each round and, without rounds, at the ends."""

    def says_a(trace: Trace) -> bool:
        return trace["left"] == "a"

    scorer = Scorer(
        "a or not", lambda ts: [float(says_a(t)) for t in ts], success=Success("a", says_a)
    )
    run(twins(eval_fraction=0), tmp_path / "study", scorer=scorer)
    found = curves(tmp_path / "study")
    assert list(found) == ["loss", "accuracy", "score", "a"]
    assert found["a"] == found["score"]
    assert found["a"]["joint"]["step"] == [0, STEPS]
    assert 0 < found["a"]["joint"]["mean"][0] < found["a"]["joint"]["mean"][1]
    assert "Share of samples that are a" in (tmp_path / "study" / "curves.svg").read_text()


def test_without_rounds_the_score_is_that_before_and_after(chain: Build, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    row = {"inputs": {"x": "x0"}, "chosen": {"z": "a"}, "rejected": {"z": "b"}}
    file.write_text(json.dumps(row) + "\n")
    root = tmp_path / "study"
    run(chain(data=str(file), rounds=0), root)
    result = json.loads((root / "joint" / "seed0" / "result.json").read_text())
    score = curves(root)["score"]["joint"]
    assert score["step"] == [0, STEPS]
    ends = [result[side]["score"]["mean"] for side in ("before", "after")]
    assert score["mean"] == [pytest.approx(end, rel=1e-5) for end in ends]
    assert score["low"] == [None, None]
    assert all(map(math.isfinite, score["mean"]))
