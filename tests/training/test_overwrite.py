"""What a failed start leaves, and what --overwrite removes: what sysgraph wrote, nothing else."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, Scorer, Trace
from sysgraph.support.progress import Reporter
from sysgraph.training.kept import Kept, learned_nothing
from sysgraph.training.session import Session

from .test_failures import row, tables

Pairs = Callable[..., Path]


def files(folder: Path) -> set[str]:
    return {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}


def test_overwriting(write_pairs: Pairs, tmp_path: Path, quiet: Reporter) -> None:
    data = write_pairs([row("a", "b", "m")])
    run = tmp_path / "run"
    sysgraph.fit(tables(data, {"m": {}}), output=run, reporter=quiet)
    mine = ("notes.txt", "mine/notes.txt")
    (run / "mine").mkdir()
    for name in mine:
        (run / name).write_text("mine")
    other = tables(data, {"m": {}}, beta=0.7, steps=1)
    with pytest.raises(InputError, match=r"exists: add --resume .*, --overwrite to remove the run"):
        sysgraph.fit(other, output=run, reporter=quiet)
    for name in ("models/notes.txt", "models/m/notes.txt", "state/notes.txt"):
        (run / name).write_text("mine")
        with pytest.raises(InputError, match=r"notes\.txt was not written by this run: move it"):
            sysgraph.fit(other, output=run, overwrite=True, reporter=quiet)
        (run / name).unlink()
    sysgraph.fit(other, output=run, overwrite=True, reporter=quiet)
    assert json.loads((run / "program.json").read_text())["fit"]["beta"] == 0.7
    assert files(run) == {
        *mine,
        *("graph.yaml", "program.json", "metrics.jsonl", "result.json"),
        *("state/info.json", "state/tensors.safetensors", "state/manifest.json"),
        *("models/m/table.safetensors", "models/m/sysgraph.json", "models/manifest.json"),
        *(f"record/credit/{name}" for name in ("credit.json", "wrong.jsonl", "manifest.json")),
        "timings.jsonl",
    }
    assert all((run / name).read_text() == "mine" for name in mine)


def test_what_is_no_run_is_not_overwritten(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    graph = tables(write_pairs([row("a", "b", "m")]), {"m": {}})
    folder = tmp_path / "mine"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "precious").write_text("mine")
    with pytest.raises(InputError, match="holds no run to overwrite, but other files"):
        sysgraph.fit(graph, output=folder, overwrite=True, reporter=quiet)
    assert files(folder) == {"models/precious"}


def test_wrong_data_do_not_cost_the_run_that_is_there(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter
) -> None:
    run = tmp_path / "run"
    sysgraph.fit(tables(write_pairs([row("a", "b", "m")]), {"m": {}}), output=run, reporter=quiet)
    before = files(run)
    wrong = tables(write_pairs([row("a", "c", "m")], "wrong.jsonl"), {"m": {}})
    with pytest.raises(InputError, match="no value of table"):
        sysgraph.fit(wrong, output=run, overwrite=True, reporter=quiet)
    assert files(run) == before


@pytest.mark.parametrize("error", [InputError("no"), RuntimeError("a bug")])
def test_a_failed_start_can_be_tried_again(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter, error: Exception
) -> None:
    """Whatever it left."""

    def fails(traces: Sequence[Trace]) -> list[float]:
        raise error

    inputs = tmp_path / "inputs.jsonl"
    inputs.write_text('{"x": "x"}\n')
    data = write_pairs([row("a", "b", "m")])
    fit: dict[str, Any] = {"eval_inputs": str(inputs), "scorer": "s"}
    run = tmp_path / "deep" / "run"
    with pytest.raises(RuntimeError):
        sysgraph.fit(
            tables(data, {"m": {}}, **fit),
            output=run,
            scorer=Scorer("s", fails),
            reporter=quiet,
        )
    again = tables(data, {"m": {}}, **fit, beta=0.7)
    scorer = Scorer("s", lambda traces: [0.0 for _ in traces])
    sysgraph.fit(again, output=run, scorer=scorer, reporter=quiet)
    assert (run / "result.json").is_file()


def test_wrong_input_leaves_nothing(
    write_pairs: Pairs, tmp_path: Path, quiet: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found to be wrong before there is a state."""

    def refuse(session: Session) -> None:
        raise InputError("no")

    monkeypatch.setattr(Session, "run", refuse)
    run = tmp_path / "deep" / "run"
    with pytest.raises(InputError, match="no"):
        sysgraph.fit(
            tables(write_pairs([row("a", "b", "m")]), {"m": {}}), output=run, reporter=quiet
        )
    assert not run.parent.exists()


def test_nothing_learned_is_said(
    write_pairs: Pairs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the training pairs teach is the opposite of what the held-out ones ask for."""
    rows = [row("a", "b", "m", f"x{i}") for i in range(6)]
    seeds = (s for s in range(100))
    for seed in seeds:
        graph = tables(
            write_pairs(rows), {"m": {}}, steps=3, eval_fraction=0.2, seed=seed, learning_rate=0.1
        )
        from sysgraph.data import load_pairs
        from sysgraph.training.pairs import split_pairs

        held = split_pairs(load_pairs(sysgraph.compile(graph), graph.fit.data or ""), 0.2, seed)
        if held["held_out"]:
            break
    x = held["held_out"][0].chosen.inputs["x"]
    odd = [row("b", "a", "m", r[0]["x"]) if r[0]["x"] == x else r for r in rows]
    write_pairs(odd)
    run = sysgraph.fit(graph, output=tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    assert "no step lowered the loss on held-out pairs (0.6931 before the first)" in said
    assert "warning: nothing was learned: the weights are those from before training" in said
    kept = json.loads((run.folder / "result.json").read_text())["kept"]
    assert [(k["step"], k["steps"], round(k["loss"], 4)) for k in kept] == [(0, 3, 0.6931)]


def test_when_nothing_was_learned() -> None:
    def kept(*steps: int) -> list[Kept]:
        return [Kept(round=i, step=s, steps=3, loss=1) for i, s in enumerate(steps, 1)]

    assert learned_nothing(kept(0), 0, None)
    assert learned_nothing(kept(0, 2), 2, 1)
    assert learned_nothing(kept(3, 3), 2, 0)
    assert not learned_nothing(kept(0, 2), 2, None)
    assert not learned_nothing(kept(2), 0, None)
    assert not learned_nothing([], 0, None)
