"""Checkpoints, states and models of two processes that hold a half of each."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph.support.progress import Reporter

from . import parts_in_two_processes

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def test_parts_are_read_kept_and_put_together(
    two_stage: Callable[..., sysgraph.Graph],
    pairs: Path,
    weights: Callable[[Path], dict[str, Tensor]],
    metrics: Callable[[Path], list[dict[str, Any]]],
    environment: dict[str, str],
    tmp_path: Path,
    quiet: Reporter,
) -> None:
    """Killed after a step and resumed, a run ends to the bit as one that was left alone."""
    graph = two_stage(
        models={"second": {"train": "full"}},
        data=str(pairs),
        shard=True,
        steps=4,
        save_every=1,
        eval_every=2,
        eval_fraction=0.25,
        reference={"every": 2, "mix": 0.5},
    )
    (tmp_path / "graph.yaml").write_text(sysgraph.dump(graph))
    environment = {**environment, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    kill_with_a_state(tmp_path, environment)
    shutil.copytree(tmp_path / "killed", tmp_path / "alone")
    done = subprocess.run(
        [*TORCHRUN, "-m", parts_in_two_processes.__name__, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
    # A mean over steps before and after the kill is of sums that were rounded once more.
    for before, after in zip(
        metrics(tmp_path / "whole"), metrics(tmp_path / "killed"), strict=True
    ):
        assert after == pytest.approx(before, rel=1e-5)
    # One process goes on with the state of two, and with whole models.
    fit = graph.fit.model_copy(update={"shard": False})
    whole_models = graph.model_copy(update={"fit": fit})
    sysgraph.fit(whole_models, output=tmp_path / "alone", resume=True, reporter=quiet)
    for name, tensor in weights(tmp_path / "alone").items():
        torch.testing.assert_close(tensor, whole[name], atol=1e-4, rtol=0, msg=name)
    system = sysgraph.System(sysgraph.compile(graph), device="cpu", model_dir=tmp_path / "whole")
    assert system.sample({"question": "what"}, n=1, seed=0)


def kill_with_a_state(folder: Path, environment: dict[str, str]) -> None:
    """Ends a run of two processes when it has its first state, within whatever it does then."""
    command = ["-m", "sysgraph", "fit", str(folder / "graph.yaml"), "--output"]
    run = subprocess.Popen(
        [*TORCHRUN, *command, str(folder / "killed")],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    while run.poll() is None and not (folder / "killed" / "state").exists():
        time.sleep(0.01)
    assert run.poll() is None
    launcher = psutil.Process(run.pid)
    for process in (launcher, *launcher.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    run.wait()
