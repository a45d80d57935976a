"""Scorers: what they may return, and how they are found by name."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sysgraph import Completion, InputError, RunError, Scorer, Trace, find_scorer


def trace(answer: str | None, question: str = "what is bar fam hek ?") -> Trace:
    values = {} if answer is None else {"answer": Completion(answer)}
    gone = frozenset() if answer is not None else frozenset({"answer"})
    return Trace({"question": question}, values, ("answer",), gone)


def test_failed_traces_are_not_shown_to_it() -> None:
    seen: list[str] = []

    def length(traces: Sequence[Trace]) -> list[float]:
        seen.extend(t.output() for t in traces)
        return [len(t.output()) for t in traces]

    scores = Scorer("length", length)([trace("abc"), trace(None), trace("a")])
    assert scores == [3, -math.inf, 1]
    assert seen == ["abc", "a"]
    assert Scorer("never", lambda traces: [1 / 0])([trace(None)]) == [-math.inf]


@pytest.mark.parametrize("one", [1, True, 0.5, np.float32(2), torch.tensor(3.0)])
def test_numbers_of_any_kind(one: Any) -> None:
    (score,) = Scorer("s", lambda traces: [one])([trace("a")])
    assert type(score) is float
    assert score == float(one)


@pytest.mark.parametrize("one", [math.nan, math.inf, -math.inf, None, "3", [1], 10**400])
def test_what_is_no_finite_number_is_refused(one: Any) -> None:
    with pytest.raises(RunError, match="for the output 'a'; expected a finite number"):
        Scorer("s", lambda traces: [one])([trace("a")])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_one_score_per_trace(count: int) -> None:
    with pytest.raises(RunError, match=f"'s' returned {count} scores for 2 traces"):
        Scorer("s", lambda traces: [0.0] * count)([trace("a"), trace("b")])


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with scorers, as pip leaves it."""
    (tmp_path / "plugin_of_a_test.py").write_text(
        "from sysgraph import Scorer\nbrevity = Scorer('brevity', lambda ts: [0.0] * len(ts))\n"
        "number = 3\n"
        "def length(trace):\n    return len(trace.output())\n"
    )
    info = tmp_path / "plugin_of_a_test-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin-of-a-test\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[sysgraph.scorers]\n"
        "brevity = plugin_of_a_test:brevity\n"
        "number = plugin_of_a_test:number\n"
        "size = plugin_of_a_test:length\n"
        "gone = plugin_of_a_test:gone\n"
        "lost = no_such_module_of_a_test:x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "plugin_of_a_test", raising=False)


@pytest.mark.usefixtures("plugin")
def test_installed_scorers_are_found() -> None:
    assert find_scorer("brevity").name == "brevity"
    assert find_scorer("attributes").perfect == 3
    size = find_scorer("size")  # a plain function of a trace
    assert (size.name, size([trace("abc")])) == ("size", [3.0])


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("brevty", "no scorer is registered as 'brevty'; did you mean `brevity`?"),
        ("zzz", "no scorer is registered as 'zzz'; there are: "),
        (
            "number",
            "scorer 'number' (plugin_of_a_test:number) is no sysgraph.Scorer and no "
            "function of a trace: 3",
        ),
        ("gone", "scorer 'gone' (plugin_of_a_test:gone) cannot be loaded: "),
        ("lost", "scorer 'lost' (no_such_module_of_a_test:x) cannot be loaded: "),
    ],
)
def test_wrong_names(name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        find_scorer(name)
    assert str(caught.value).startswith(said)


def test_attributes() -> None:
    """bar is red, fam a cube, hek small: by hand from the world's Latin squares."""
    scorer = find_scorer("attributes")
    answers = ["red cube small", "red ball small", "red cube", "small cube red"]
    assert scorer([trace(a) for a in answers]) == [3, 2, 0, 0]


def test_attributes_elsewhere() -> None:
    scorer = find_scorer("attributes")
    with pytest.raises(InputError, match="no entity of the world 'specialists' in the question"):
        scorer([trace("a", "why?")])
    foreign = Trace({"text": "t"}, {"answer": Completion("a")}, ("answer",))
    with pytest.raises(InputError, match="needs a graph with an input `question`"):
        scorer([foreign])
