"""Shards, made by processes that know nothing of each other, are together the whole."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sysgraph import InputError, Scorer, Trace, collect, load_pairs
from sysgraph.support.files import claimed

from .digits import GRAPH, GRAPH_OBJECT, PROGRAM, QUIET, ROWS, SCORER, digits, lines


def summary(folder: Path) -> list[str]:
    """The pairs that `fit` reads from a folder or files, in any order."""
    return sorted(repr((pair.chosen, pair.rejected)) for pair in load_pairs(PROGRAM, folder))


def test_shards_are_the_whole(run: Callable[..., Any], tmp_path: Path) -> None:
    """Equal inputs, which samples of their own tell apart, lie in different shards."""
    whole = run(tmp_path / "whole")
    parts = [run(tmp_path / "parts", shard=f"{i}/3") for i in (3, 1, 2)]
    assert sum(part.pairs for part in parts) == whole.pairs
    assert sum(part.traces for part in parts) == whole.traces
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")
    assert summary(tmp_path / "parts" / "pairs-*.jsonl") == summary(tmp_path / "whole")
    assert sorted(path.name for path in (tmp_path / "parts").glob("[!.]*")) == sorted(
        f"{name}-0000{i}-of-00003.{suffix}"
        for i in range(1, 4)
        for name, suffix in (("collect", "json"), ("traces", "jsonl"), ("pairs", "jsonl"))
    )
    traces = [
        lines(part.file.with_name(part.file.name.replace("pairs", "traces"))) for part in parts
    ]
    sources = [{row["source"] for row in several} for several in traces]
    assert sources[0] == {f"input {number}" for number in range(3, len(ROWS) + 1, 3)}
    assert sum(map(len, sources)) == len(set.union(*sources)) == len(ROWS)


def test_a_folder_that_another_shard_has_just_made(run: Callable[..., Any], tmp_path: Path) -> None:
    """It holds no settings yet, but the start of their file."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".collect-00001-of-00002.json.abcd").write_text("{")
    assert run(tmp_path / "c", shard="2/2").pairs


def test_shards_at_the_same_time(inputs: Path, tmp_path: Path) -> None:
    """In processes that start together, in a folder that is not there yet."""
    code = (
        "import sys; sys.path[:0] = [{folder!r}]\n"
        "import digits, sysgraph\n"
        "sysgraph.collect(digits.GRAPH_OBJECT, {inputs!r}, output={output!r},"
        " scorer=digits.SCORER, reporter=digits.QUIET, shard={shard!r})\n"
    )
    given = {"folder": str(Path(__file__).parent), "inputs": str(inputs)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code.format(output=str(tmp_path / "c"), shard=shard, **given)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for shard in ("1/2", "2/2")
    ]
    assert [process.wait() for process in processes] == [0, 0]
    collect(GRAPH_OBJECT, inputs, output=tmp_path / "whole", scorer=SCORER, reporter=QUIET)
    assert summary(tmp_path / "c") == summary(tmp_path / "whole")


def test_a_shard_that_was_stopped_goes_on(run: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "c"
    for shard in ("1/2", "2/2"):
        run(folder, shard=shard)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    traces = folder / "traces-00002-of-00002.jsonl"
    traces.write_bytes(traces.read_bytes()[:1000])
    (folder / "pairs-00002-of-00002.jsonl").unlink()
    with pytest.raises(InputError, match=r"not finished: no pairs-00002-of-00002\.jsonl"):
        load_pairs(PROGRAM, folder)
    assert load_pairs(PROGRAM, folder / "pairs-*.jsonl")
    run(folder, shard="2/2")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_shard_without_pairs(run: Callable[..., Any], tmp_path: Path) -> None:
    """Is no reason to refuse the others."""

    def of_odd(traces: Sequence[Trace]) -> list[float]:
        return [
            score * (int(t.extra["id"]) % 2)
            for t, score in zip(traces, digits(traces), strict=True)
        ]

    graph = GRAPH.replace(', "none"', "")
    scorer = Scorer("of odd", of_odd)
    found = [run(tmp_path / "c", graph=graph, scorer=scorer, shard=f"{i}/2") for i in (1, 2)]
    assert [one.pairs > 0 for one in found] == [False, True]
    assert len(load_pairs(PROGRAM, tmp_path / "c")) == found[1].pairs
    with pytest.raises(InputError, match="is empty"):
        load_pairs(PROGRAM, found[0].file)


@pytest.mark.parametrize(
    "shard", ["0/2", "3/2", "1", "1/2/3", "-1/2", "a/b", "1/0", "", "1/999999"]
)
def test_no_shard(shard: str, run: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected I/N with I from 1 to N, as in 2/4"):
        run(tmp_path / "c", shard=shard)
    assert not (tmp_path / "c").exists()


def test_other_shards_are_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="91 shards of 90 inputs"):
        run(tmp_path / "c", shard="1/91")
    run(tmp_path / "c", shard="1/2")
    for other in (None, "1/3"):
        with pytest.raises(InputError, match=r"other settings: shards was 2, now is"):
            run(tmp_path / "c", shard=other)
    with pytest.raises(InputError, match=r"other settings: seed was 0, now is"):
        run(tmp_path / "c", shard="2/2", seed=1)


def test_a_pattern_that_nothing_matches(run: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file is called like .*p-\*\.jsonl"):
        load_pairs(PROGRAM, tmp_path / "p-*.jsonl")


def test_a_shard_that_another_process_collects(run: Callable[..., Any], tmp_path: Path) -> None:
    """Is not collected twice at once; the other shards are."""
    folder = tmp_path / "c"
    folder.mkdir()
    with (
        claimed(folder / "traces-00001-of-00002.jsonl"),
        pytest.raises(InputError, match=r"another process is writing .*traces-00001-of-00002"),
    ):
        run(folder, shard="1/2")
    assert not [*folder.glob("[!.]*")]
    with claimed(folder / "traces-00001-of-00002.jsonl"):
        assert run(folder, shard="2/2").pairs
    assert run(folder, shard="1/2").pairs
