"""The endpoint judge against a real local server: what it sends, its verdicts, and set-up."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sysgraph import InputError
from sysgraph.measuring.judges import find_judge
from sysgraph.measuring.judges.endpoint import Endpoint

from .asking import ask, some, truth
from .server import KEY, better, serving


def test_verdicts_in_order_and_what_is_sent(at: Callable[..., Endpoint]) -> None:
    comparisons = some(30)
    with serving(better) as server:
        assert ask(at(server), comparisons) == truth(comparisons)
    assert len(server.asked) == 30
    sent = {(one.question, one.a, one.b) for one in server.asked}
    assert sent == {(c.inputs["question"], c.a, c.b) for c in comparisons}
    for one in server.asked:
        assert one.body["model"] == "org/judge:1"
        assert one.body["temperature"] == 0
        assert one.authorization == f"Bearer {KEY}"


def test_equal_comparisons_are_asked_once(at: Callable[..., Endpoint]) -> None:
    with serving(better) as server:
        assert ask(at(server), some(1) * 9) == truth(some(1)) * 9
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "set OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": ""}, "set OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": f"{KEY}\n"}, "without blanks or line ends$"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "localhost:8000/v1"}, "an address like http"),
    ],
)
def test_wrong_environment(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=said):
        Endpoint("m", cache=tmp_path)


def test_without_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)  # as if it were not installed
    with pytest.raises(InputError, match=r'pip install "sysgraph\[judge\]"'):
        find_judge("openai:m")
