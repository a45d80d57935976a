"""Two processes train what one does, to rounding, and do not wait for each other forever."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Scorer
from sysgraph.support.progress import Reporter

# What `-m sysgraph` runs, once for every graph: to start Python, torch and all takes much longer.
DRIVER = """
import runpy, sys
for graph, output in zip(sys.argv[1::2], sys.argv[2::2]):
    sys.argv = ["sysgraph", "fit", graph, "--output", output]
    try:
        runpy.run_module("sysgraph", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


def launch(graphs: Sequence[sysgraph.Graph], folder: Path, environment: dict[str, str]) -> str:
    """Fits each graph into folder/0, folder/1, ... in two processes; what they print."""
    (folder / "driver.py").write_text(DRIVER)
    arguments = []
    for i, graph in enumerate(graphs):
        (folder / f"{i}.yaml").write_text(sysgraph.dump(graph))
        arguments += [str(folder / f"{i}.yaml"), str(folder / f"{i}")]
    # On CPUs, `--multi_gpu` is what makes accelerate start several processes without mpirun.
    options = ["-m", "accelerate.commands.launch", "--multi_gpu"]
    options += ["--num_processes=2", "--num_machines=1", "--main_process_port=0"]
    options += ["--mixed_precision=no", "--dynamo_backend=no", "--gradient_accumulation_steps=2"]
    done = subprocess.run(
        [sys.executable, *options, str(folder / "driver.py"), *arguments],
        env={**environment, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rounds(two_stage: Callable[..., sysgraph.Graph], questions: Path) -> sysgraph.Graph:
    """Collection in shares, an odd batch, micro-batches, and a table whose terms mostly cancel."""
    graph = two_stage(
        inputs=str(questions),
        scorer="checksum",
        rounds=2,
        samples=3,
        steps=5,
        batch_size=5,
        gradient_accumulation_steps=2,
        eval_every=2,
        save_every=2,
        log_every=2,
        eval_fraction=0.25,
        learning_rate=1e-3,
        warmup_steps=2,
    )
    plain = json.loads(graph.model_dump_json(exclude_unset=True))
    plain["models"]["coin"] = {"kind": "table", "values": ["heads", "tails"]}
    plain["nodes"]["toss"] = {"kind": "lm", "model": "coin", "prompt": "{{ question }}"}
    plain["nodes"]["answer"]["prompt"] = "{{ question }} {{ draft }} {{ toss }}"
    plain["edges"] = ["question -> draft, toss", "question, draft, toss -> answer"]
    return sysgraph.load(json.dumps(plain))


def summed(two_stage: Callable[..., sysgraph.Graph], questions: Path) -> sysgraph.Graph:
    """Windows of two steps that states cut in half; drafts that are collected, and summed over."""
    return two_stage(
        inputs=str(questions),
        scorer="checksum",
        observed=["answer"],
        sampling={"redraw_every": 2},
        rounds=2,
        samples=3,
        steps=5,
        batch_size=5,
        gradient_accumulation_steps=2,
        eval_every=2,
        save_every=1,
        log_every=2,
        eval_fraction=0.25,
        learning_rate=1e-4,
    )


def idle(
    two_stage: Callable[..., sysgraph.Graph], write_pairs: Callable[..., Path]
) -> sysgraph.Graph:
    """One pair a batch leaves a process without; pairs that teach one model, the other, or none."""
    rows = [
        ({"question": "a"}, {"draft": "x", "answer": "y"}, {"draft": "x", "answer": "z"}),
        ({"question": "b"}, {"draft": "x", "answer": "y"}, {"draft": "z", "answer": "y"}),
        ({"question": "c"}, {"draft": "x", "answer": "y"}, {"draft": "x", "answer": "y"}),
    ]
    return two_stage(
        data=str(write_pairs(rows)), steps=7, batch_size=1, learning_rate=1e-3, save_every=2
    )


def test_two_processes_train_what_one_does(
    two_stage: Callable[..., sysgraph.Graph],
    questions: Path,
    write_pairs: Callable[..., Path],
    checksum: Scorer,
    environment: dict[str, str],
    weights: Callable[[Path], dict[str, Tensor]],
    metrics: Callable[[Path], list[dict[str, Any]]],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    def assert_close(one: Path, two: Path) -> None:
        expected, found = weights(one), weights(two)
        assert expected.keys() == found.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0, msg=name)

    graphs = [rounds(two_stage, questions), idle(two_stage, write_pairs)]
    graphs.append(summed(two_stage, questions))
    (tmp_path / "processes").mkdir()
    printed = launch(graphs, tmp_path, {**environment, "PROCESSES": str(tmp_path / "processes")})
    assert len(list((tmp_path / "processes").iterdir())) == 2, "both were to score their share"
    assert printed.count("trained models:") == 3, "one process tells, the other is quiet"

    one = tmp_path / "one"
    for i, graph in enumerate(graphs):
        sysgraph.fit(graph, output=one / f"{i}", scorer=checksum, reporter=quiet)
        assert_close(one / f"{i}", tmp_path / f"{i}")
        lines = metrics(one / f"{i}"), metrics(tmp_path / f"{i}")
        for expected, found in zip(*lines, strict=True):
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)
    collected = sorted((one / "0" / "rounds").rglob("*.jsonl"))
    assert len(collected) == 4
    for file in collected:
        assert file.read_text() == (tmp_path / file.relative_to(one)).read_text()


@pytest.mark.parametrize("parts", [2, 100])
def test_micro_batches_sum_to_the_batch(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    weights: Callable[[Path], dict[str, Tensor]],
    tmp_path: Path,
    quiet: Reporter,
    parts: int,
) -> None:
    for name, steps in (("whole", 1), ("parts", parts)):
        graph = two_stage(
            data=str(pairs), batch_size=5, gradient_accumulation_steps=steps, learning_rate=1e-3
        )
        sysgraph.fit(graph, output=tmp_path / name, reporter=quiet)
    whole, found = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for name, tensor in whole.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-6, rtol=0, msg=name)


@pytest.mark.parametrize(
    "fit",
    [
        {"loss": {"nca_pair": 1, "sft": 2}},
        {"loss": "sft", "credit": "node"},
        {"loss": {"sigmoid": 1, "sft": 2}, "observed": ["answer"], "anchor": 0.1},
    ],
    ids=str,
)
def test_micro_batches_share_the_length_of_the_batch(
    two_stage: Callable[..., sysgraph.Graph],
    write_pairs: Callable[..., Path],
    metrics: Callable[[Path], list[dict[str, Any]]],
    tmp_path: Path,
    quiet: Reporter,
    fit: dict[str, Any],
) -> None:
    """`sft` divides by all chosen tokens of a step: a micro-batch alone would not know them."""
    sides = [{"draft": "d" * i, "answer": "yes " * i} for i in range(1, 7)]
    worse = {"draft": "e", "answer": "no"}
    data = write_pairs([({"question": f"q{i}"}, side, worse) for i, side in enumerate(sides)])
    found = []
    for parts in (1, 3):
        graph = two_stage(
            data=str(data),
            batch_size=6,
            steps=2,
            log_every=1,
            eval_fraction=0.4,
            gradient_accumulation_steps=parts,
            learning_rate=1e-3,
            **fit,
        )
        sysgraph.fit(graph, output=tmp_path / f"{parts}", reporter=quiet)
        found.append(metrics(tmp_path / f"{parts}"))
    for line, other in zip(*found, strict=True):
        for name in (n for n in line if "accuracies" not in n):  # of margins that are rounding
            assert other[name] == pytest.approx(line[name], rel=1e-4, abs=1e-5), name
