"""What may be given as a judge: like a scorer, whatever says which answer is better."""

import pytest

from sysgraph import InputError, Scorer, Trace, win_rate
from sysgraph.measuring.judges import Comparison, Verdict


def traces(*texts: str) -> list[Trace]:
    return [Trace({"x": str(i)}, {"a": text}, ("a",)) for i, text in enumerate(texts)]


def length(trace: Trace) -> float:
    return len(trace.output())


class Longer:
    """A judge by shape alone."""

    name = "longer"

    def compare(self, comparisons: list[Comparison], *, advance: object) -> list[Verdict | None]:
        return ["a" if len(c.a) > len(c.b) else "b" for c in comparisons]


class Counted:
    """A function that is an object."""

    def __call__(self, trace: Trace) -> float:
        return length(trace)


@pytest.mark.parametrize(
    ("judge", "name"),
    [
        (length, "length"),
        (Counted(), "Counted"),
        (Scorer("long", lambda several: [length(trace) for trace in several]), "long"),
        (Longer(), "longer"),
    ],
)
def test_judges(judge: object, name: str) -> None:
    found = win_rate(judge, traces("aaa", "b", "c"), traces("a", "bb", "c"))  # type: ignore[arg-type]  # one of several
    assert (found.judge, found.wins, found.ties, found.losses) == (name, 1, 1, 1)


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (3, "3 is no scorer; expected a sysgraph.Scorer, a function"),
        ("length", "no kind of judge 'length'; .*scorer:"),
    ],
)
def test_what_is_no_judge(judge: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        win_rate(judge, traces("a"), traces("b"))  # type: ignore[arg-type]  # is no judge
