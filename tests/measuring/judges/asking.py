"""Comparisons of numbers: the true verdicts, and those of a judge."""

from sysgraph.measuring.judges import Comparison, Verdict
from sysgraph.measuring.judges.endpoint import Endpoint


def some(count: int) -> list[Comparison]:
    return [Comparison({"question": f"q{i}"}, str(i % 7), str(i % 5)) for i in range(count)]


def truth(comparisons: list[Comparison]) -> list[Verdict | None]:
    return ["a" if c.a > c.b else "b" if c.b > c.a else "tie" for c in comparisons]


def ask(judge: Endpoint, comparisons: list[Comparison]) -> list[Verdict | None]:
    """The judge's verdicts; its progress counts every comparison."""
    done: list[int] = []
    verdicts = judge.compare(comparisons, advance=done.append)
    assert sum(done) == len(comparisons)
    return verdicts
