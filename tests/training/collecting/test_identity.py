"""A collection goes on with the weights it was begun with, wherever they lie, and no others."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, RunError, Scorer, Trace

from .digits import GRAPH, GRAPH_OBJECT, QUIET, digits


@pytest.fixture
def trained(tmp_path: Path) -> Callable[[str, float], Path]:
    """A run whose tables were trained with a learning rate."""

    def fit(name: str, rate: float) -> Path:
        data = tmp_path / "pairs.jsonl"
        sides = [{"raw": raw, "answer": a} for raw, a in (("2", "a"), ("3", "b"))]
        row = {"inputs": {"question": "q"}, "chosen": sides[0], "rejected": sides[1]}
        data.write_text(json.dumps(row) + "\n")
        plain = {"steps": 1, "learning_rate": rate, "eval_fraction": 0, "batch_size": 1}
        fit = GRAPH_OBJECT.fit.model_copy(update=plain)
        graph = GRAPH_OBJECT.model_copy(update={"fit": fit})
        return sysgraph.fit(graph, data=data, output=tmp_path / name, reporter=QUIET).folder

    return fit


def test_other_weights_are_refused(
    run: Callable[..., Any], trained: Callable[[str, float], Path], tmp_path: Path
) -> None:
    one, other = trained("one", 0.5), trained("other", 0.7)
    run(tmp_path / "c", model_dir=one)
    before = {file.name: file.read_bytes() for file in (tmp_path / "c").iterdir()}
    with pytest.raises(InputError, match=r"other settings: .*weights\.m\.trained was '\w+', now"):
        run(tmp_path / "c", model_dir=other)
    shutil.rmtree(one / "models")
    shutil.copytree(other / "models", one / "models")
    with pytest.raises(InputError, match=r"other settings: weights\.m\.trained was '\w+', now is"):
        run(tmp_path / "c", model_dir=one)
    assert {file.name: file.read_bytes() for file in (tmp_path / "c").iterdir()} == before


def test_the_same_weights_elsewhere_are_the_same(
    run: Callable[..., Any], trained: Callable[[str, float], Path], tmp_path: Path
) -> None:
    one = trained("one", 0.5)
    run(tmp_path / "c", model_dir=one)
    shutil.move(one, tmp_path / "moved")
    run(tmp_path / "c", model_dir=tmp_path / "moved")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 10**5, b"[]"])
def test_damaged_settings(run: Callable[..., Any], tmp_path: Path, content: bytes) -> None:
    run(tmp_path / "c")
    (tmp_path / "c" / "collect.json").write_bytes(content)
    with pytest.raises(InputError, match=r"collect\.json is damaged: .*; add --overwrite"):
        run(tmp_path / "c")
    run(tmp_path / "c", overwrite=True)


def test_overwriting_leaves_what_others_wrote(run: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "c"
    run(folder)
    mine = ("notes.txt", "pairs-of-mine.jsonl", "images/cat.png", "traces.jsonl.bak")
    for name in mine:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    run(folder, seed=1, overwrite=True)
    assert json.loads((folder / "collect.json").read_text())["seed"] == 1
    assert all((folder / name).read_text() == "mine" for name in mine)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no collection"):
        run(tmp_path / "d", overwrite=True)
    with pytest.raises(InputError, match="removes every shard"):
        run(folder, shard="1/2", overwrite=True)


def test_a_failed_start_leaves_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    def fails(traces: Sequence[Trace]) -> list[float]:
        raise InputError("no")

    with pytest.raises(RunError, match="no"):
        run(tmp_path / "deep" / "c", scorer=Scorer("digits", fails))
    assert not (tmp_path / "deep").exists()


def test_an_error_after_traces_were_written_is_a_failed_run(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    calls = iter(range(100))

    def fails(traces: Sequence[Trace]) -> list[float]:
        if next(calls):
            raise InputError("too long")
        return digits(traces)

    with pytest.raises(RunError, match="too long\ncall `sysgraph collect` again"):
        run(tmp_path / "c", scorer=Scorer("digits", fails))
    run(tmp_path / "c", scorer=Scorer("digits", digits))


@pytest.mark.parametrize("samples", [1, 1025, 10**9])
def test_too_many_samples(run: Callable[..., Any], tmp_path: Path, samples: int) -> None:
    with pytest.raises(InputError, match="take 2 to 1024"):
        run(tmp_path / "c", samples=samples)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["collect.json", "traces.jsonl", "pairs.jsonl", "images"])
def test_links_are_not_followed(run: Callable[..., Any], tmp_path: Path, name: str) -> None:
    run(tmp_path / "c")
    path = tmp_path / "c" / name
    precious = tmp_path / "precious"
    precious.write_text(path.read_text() if path.exists() else "mine")
    path.unlink(missing_ok=True)
    before = precious.read_text()
    path.symlink_to(precious)
    with pytest.raises(InputError, match=f"{name} is a link"):
        run(tmp_path / "c")
    assert precious.read_text() == before


RACE = """
import sys
sys.path[:0] = [{folder!r}]
import digits, sysgraph
print("ready", flush=True)
sys.stdin.readline()
try:
    sysgraph.collect({graph}, {inputs!r}, output={output!r}, scorer=digits.SCORER,
                     reporter=digits.QUIET, shard=sys.argv[1] or None)
    print("done")
except sysgraph.InputError as error:
    print("refused", str(error).replace(chr(10), " "))
"""


@pytest.mark.parametrize(
    ("shards", "outcome"), [(("1/2", "1/3"), 1), (("1/2", "2/2"), 2), (("", ""), 1)]
)
def test_two_that_start_together(
    inputs: Path, tmp_path: Path, shards: tuple[str, str], outcome: int
) -> None:
    """Shards of two and of three never share a folder."""
    code = RACE.format(
        folder=str(Path(__file__).parent),
        graph=f"sysgraph.load({GRAPH!r})",
        inputs=str(inputs),
        output=str(tmp_path / "c"),
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, shard],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for shard in shards
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("\n")[0].strip() for process in processes]
    if shards == ("", ""):  # the later one finds a finished collection, or one that is claimed
        assert "done" in said
        assert all(text == "done" or "another process is writing" in text for text in said)
    else:
        assert [text == "done" for text in said].count(True) == outcome, said
    settings = [json.loads(f.read_text()) for f in (tmp_path / "c").glob("collect*.json")]
    assert len({one["shards"] for one in settings}) == 1
