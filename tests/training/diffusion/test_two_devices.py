"""Models on two devices in one process train what they do on one, and nothing is mixed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import sysgraph
from sysgraph.support.progress import Reporter

Build = Callable[..., sysgraph.Graph]
ROOT = Path(__file__).parents[3]
RATE = 1e-2


def summed(two_stage: Build, pairs: Path, device: str | None) -> sysgraph.Graph:
    """Sampling, towards a reference that moves: an adapter, a model trained whole, and a table."""
    graph = two_stage(
        models={"second": {"train": "full", "device": device}},
        data=str(pairs),
        observed=["answer"],
        sampling={"sampler": "ancestral", "k": 2, "estimator": "importance"},
        reference={"every": 1, "mix": 0.5},
        steps=2,
        learning_rate=RATE,
    )
    plain = json.loads(graph.model_dump_json(exclude_unset=True))
    plain["models"]["coin"] = {"kind": "table", "values": ["heads", "tails"]}
    plain["nodes"]["toss"] = {"kind": "lm", "model": "coin", "prompt": "{{ question }}"}
    plain["nodes"]["answer"]["prompt"] = "{{ question }} {{ draft }} {{ toss }}"
    plain["edges"] = ["question -> draft, toss", "question, draft, toss -> answer"]
    return sysgraph.load(json.dumps(plain))


def test_two_devices(
    two_stage: Build,
    story: Build,
    write_pairs: Callable[..., Path],
    story_rows: Path,
    tmp_path: Path,
    environment: dict[str, str],
    quiet: Reporter,
    weights: Callable[[Path], dict[str, Tensor]],
) -> None:
    """The run here, an image model there (Direct); the run there, a language model here."""
    rows = [({"question": f"q{i}"}, {"answer": f"yes {i}"}, {"answer": "no"}) for i in range(4)]
    pairs, words = write_pairs(rows, "answers.jsonl"), []
    one_step = {"data": str(story_rows), "steps": 1, "learning_rate": RATE}
    for name, build, home, device in (
        ("story", lambda device: story(one_step, device=device), "cpu", "npu:0"),
        ("summed", lambda device: summed(two_stage, pairs, device), "npu:0", "cpu"),
    ):
        sysgraph.fit(build(None), output=tmp_path / "one" / name, reporter=quiet)
        file = tmp_path / f"{name}.yaml"
        file.write_text(sysgraph.dump(build(device)))
        words += [home, str(file), str(tmp_path / "two" / name)]
    command = [sys.executable, "-m", "tests.training.second_device", *words]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    for name in ("story", "summed"):
        one, two = weights(tmp_path / "one" / name), weights(tmp_path / "two" / name)
        assert one.keys() == two.keys()
        for key, values in one.items():  # to a thousandth of a step: AdamW scales rounding up
            torch.testing.assert_close(two[key], values, rtol=0, atol=RATE / 1000)
