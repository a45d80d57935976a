"""What the study of graphs/progression_ordered.yaml is explained by, where the answer is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.progression import Answer, answers, followed, lesson, shares
from sysgraph.toys.progression.scenes import render
from sysgraph.toys.progression.world import ATTRIBUTES, caption, intensity


def drawn(folder: Path, levels: list[int], strength: float) -> dict[str, Any]:
    """Captions, and pictures that follow them so far from the middle of the scale."""
    random, names = np.random.default_rng(0), []
    for level in levels:
        values = {a.name: a.usual for a in ATTRIBUTES}
        values["brightness"] = 0.5 + strength * (intensity(level) - 0.5)
        pixels = (render("lake", values, random) * 255).round().astype(np.uint8)
        names.append(f"{strength}-{level}.png")
        Image.fromarray(pixels).save(folder / names[-1])
    text = " ; ".join(caption(level, ATTRIBUTES[0], "lake") for level in levels)
    return {"text": text, "image": names}


def test_a_pair_teaches_to_follow_captions_or_not_to(tmp_path: Path) -> None:
    pairs = [
        {"chosen": drawn(tmp_path, levels, 1.0), "rejected": drawn(tmp_path, levels, 0.3)}
        for levels in ([0, 3, 6], [1, 4, 5])
    ]
    pairs.append({"chosen": pairs[1]["rejected"], "rejected": pairs[1]["chosen"]})
    pairs.append({"chosen": pairs[0]["chosen"], "rejected": {"text": "one lake"}})  # no pictures
    lines = [json.dumps({"attribute": "brightness", **pair}) for pair in pairs]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    found = lesson(tmp_path)
    assert found["pairs"] == 3
    assert found["captions in order on both sides"] == found["their part of the lesson"] == 1
    assert found["chosen goes its captions' way more"] == pytest.approx(2 / 3)
    assert found["difference in standard deviations"] > 0


def test_answers_are_told_by_their_captions_and_pictures(tmp_path: Path) -> None:
    rows = [
        {"extra": {"attribute": "brightness"}, "failed": False, "values": values}
        for values in (drawn(tmp_path, [0, 3, 6], 0.4), drawn(tmp_path, [5, 1, 2], 0.4))
    ]
    rows.append({"failed": True})
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = shares([*answers([tmp_path / "answers.jsonl"])])
    assert found["captions in order"] == 0.5
    assert found["from first to last, words"] == 1.5
    assert found["followed"] == pytest.approx(0.4, abs=0.05)
    assert found["strays by"] < 0.05


def test_a_line_is_found_with_what_strays_from_it() -> None:
    asked = [[0, 1, 2], [2, 4, 6]]
    error = [0.1, -0.2, 0.1]  # of mean 0, and no slope on either answer's levels
    found = [
        Answer(
            name,
            levels,
            [0.2 + slope * intensity(k) + e for k, e in zip(levels, error, strict=True)],
        )
        for name, slope in (("fog", 0.3), ("redness", 0.7))
        for levels in asked
    ]
    slope, strays = followed(found)
    assert slope == pytest.approx(0.5)
    assert strays == pytest.approx(0.02**0.5)
