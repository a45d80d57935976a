"""`calculate` against Python's own arithmetic, and what it refuses; `vote`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysgraph import ToolError
from sysgraph.tools import find_tool

calculate, vote = find_tool("calculate").call, find_tool("vote").call

SUMS = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({' '.join(t)})"),
    max_leaves=8,
)


@given(SUMS)
def test_whole_numbers_are_exact(expression: str) -> None:
    assert calculate(expression) == str(eval(expression))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (" 7 / 2 ", "3.5"),
        ("6 / 3", "2"),
        ("-7 // 2 % 3", str(-7 // 2 % 3)),
        ("2 ** -1", "0.5"),
        ("-(2 ** 10)", "-1024"),
        ("0.1 + 0.2", str(0.1 + 0.2)),
        ("1e3 * 2", "2000"),
    ],
)
def test_values(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1 +",
        "two",
        "1 / 0",
        "(-8) ** 0.5",
        "9 ** 9 ** 9",
        "10 ** 1001",
        "10 ** 299 * 10",
        "1e308 * 10",
        "(" * 400 + "1" + ")" * 400,
        "-" * 999 + "1",
        "1" * 1001,
        "__import__('os')",
        "True + 1",
        "'a' * 3",
        "1 if 2 else 3",
        "1 < 2",
        "1j",
        "[1][0]",
        "1\x00",
    ],
)
def test_refused(expression: str) -> None:
    with pytest.raises(ToolError):
        calculate(expression)


@pytest.mark.parametrize("expression", ["1 is 1", "1()", "1if 2else 3", "0xfor 1", "'\\d'"])
def test_what_python_would_warn_of(
    expression: str, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(ToolError, match="only numbers"):
        calculate(expression)
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("answers", "winner"),
    [
        (["a", "b", "b"], "b"),
        (["b", "a"], "b"),
        ([" Rome", "paris", "Paris ", "rome"], "Rome"),
        (["only"], "only"),
    ],
)
def test_vote(answers: list[str], winner: str) -> None:
    assert vote(answers) == winner


def test_nothing_to_vote_on() -> None:
    with pytest.raises(ToolError):
        vote([])
