"""A run in rounds whose samples another engine draws, from the weights that it is sent."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, InputError, Table, Trace
from sysgraph.engines import Draw, Trained
from sysgraph.engines.table import TableEngine
from sysgraph.support.progress import Reporter

GRAPH = {
    "sysgraph": 1,
    "name": "two",
    "models": {
        "far": {"kind": "table", "values": ["a", "b", "c"]},
        "near": {"kind": "table", "values": ["u", "v"]},
    },
    "nodes": {
        "x": {"kind": "input"},
        "draft": {"kind": "lm", "model": "far", "prompt": "{{ x }}"},
        "answer": {"kind": "lm", "model": "near", "prompt": "{{ draft }}"},
    },
    "edges": ["x -> draft", "draft -> answer"],
    "outputs": ["answer"],
}
Weights = Callable[[Path], dict[str, Tensor]]


class Server(TableEngine):
    """A table of its own, which has what it was sent: it draws what the one that trains would."""

    def __init__(self) -> None:
        spec = {"far": Table(**{**GRAPH["models"]["far"], "train": "frozen"})}  # type: ignore[index]
        super().__init__(spec, device=torch.device("cpu"), seed=0)
        self.sent: list[Tensor] = []
        self.drawn: list[int] = []

    def receive(self, model: str, trained: Trained) -> None:
        self.sent.append(trained.parameters(model)["logits"].detach().clone())
        self._logits[model].copy_(self.sent[-1])
        self.drawn.append(0)

    def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Completion]:
        assert {draw.model for draw in draws} == {"far"}
        self.drawn[-1] += len(draws)
        return super().sample(draws, batch_size=batch_size)


def score(trace: Trace) -> float:
    return float("ab".find(str(trace["draft"])) + "v".find(str(trace["answer"])))


def run(tmp_path: Path, name: str, quiet: Reporter, server: Server | None) -> Path:
    rows = [{"x": f"x{i}"} for i in range(6)]
    for file, some in {"x": rows, "held": rows[:2]}.items():
        (tmp_path / f"{file}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    fit = {"inputs": str(tmp_path / "x.jsonl"), "eval_inputs": str(tmp_path / "held.jsonl")}
    fit |= {"rounds": 2, "steps": 3, "learning_rate": 0.3, "eval_fraction": 0}  # type: ignore[dict-item]
    graph = sysgraph.load(json.dumps({**GRAPH, "fit": fit}))
    elsewhere = None if server is None else {"sampled": {"far": server}}
    output = tmp_path / name
    sysgraph.fit(graph, output=output, scorer=score, elsewhere=elsewhere, reporter=quiet)  # type: ignore[arg-type]
    return output


def test_a_run_is_the_same_wherever_its_samples_are_drawn(
    tmp_path: Path, quiet: Reporter, weights: Weights
) -> None:
    server = Server()
    home, away = run(tmp_path, "home", quiet, None), run(tmp_path, "away", quiet, server)
    assert (home / "rounds/001/train.jsonl").read_text() == (
        away / "rounds/001/train.jsonl"
    ).read_text()
    for name, found in weights(home).items():
        assert torch.equal(weights(away)[name], found), name
    # Before training and in round 1; in round 2; at the end: each weights once, all of them others.
    assert len(server.sent) == len({tuple(one.flatten().tolist()) for one in server.sent}) == 3
    assert all(server.drawn)
    assert torch.equal(server.sent[-1], weights(away)["far/logits"])


def test_what_cannot_draw_is_refused_before_anything_is_written(
    tmp_path: Path, quiet: Reporter
) -> None:
    with pytest.raises(InputError, match="str has no sample, refusal, room"):
        run(tmp_path, "run", quiet, "a server")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
