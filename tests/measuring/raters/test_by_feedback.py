"""What people's ratings say about pairs of answers: closed forms, and what they say together."""

import itertools
import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from sysgraph import Trace
from sysgraph.data.ratings import Rating, read_rating
from sysgraph.measuring.raters.by_feedback import (
    CONTRADICTED,
    EVEN,
    FAILED,
    MANY,
    MOST,
    SAME,
    Ballots,
    Decided,
    decide,
)


def answer(text: str) -> Trace:
    """An answer; `-` failed."""
    if text == "-":
        return Trace({"q": "?"}, {}, ("a",), frozenset("a"), {}, frozenset("a"))
    return Trace({"q": "?"}, {"a": text}, ("a",))


def ratings(*said: Mapping[str, Any]) -> list[Rating]:
    return [read_rating({"id": "x", **one}, 100) for one in said]


def decided(texts: str, *said: Mapping[str, Any], id: str = "x") -> Decided:
    traces = {f"{id}:{i}": answer(text) for i, text in enumerate(texts)}
    return decide(traces, Ballots.count(ratings(*said)))


def pairs(found: Decided) -> set[tuple[int, int]]:
    """By the numbers of choices; each pair is there once."""
    out = [tuple(int(name.partition(":")[2]) for name in pair) for pair in found.pairs]
    assert len({*out} | {(b, a) for a, b in out}) == 2 * len(out)
    return {(a, b) for a, b in out}


def marks(values: Iterable[Any], **more: Any) -> list[dict[str, Any]]:
    return [{"choice": i, "rating": v, **more} for i, v in enumerate(values) if v is not None]


def test_thumbs_numbers_and_rankings_by_themselves() -> None:
    """Against their definitions; whatever was said before by the same person does not count."""
    draw = random.Random(1)
    for _ in range(200):
        texts = "".join(draw.choice("abcdefgh-") for _ in range(7))
        order = draw.sample(range(7), draw.randint(2, 7))
        said: dict[str, list[dict[str, Any]]] = {
            "thumbs": marks(draw.choice(["up", "down"]) for _ in texts),
            "numbers": marks(draw.choice([1, 2, 3.5, None]) for _ in texts),
            "ranking": [{"ranking": order}],
        }
        value = {"up": 1, "down": -1}
        for kind, statements in said.items():
            if kind == "ranking":
                ranks: dict[int, float] = {i: -order.index(i) for i in order}
            else:
                ranks = {s["choice"]: value.get(s["rating"], s["rating"]) for s in statements}
                ranks = {i: v for i, v in ranks.items() if texts[i] != "-"}
                lowest = -1 if kind == "thumbs" else -9
                ranks |= {i: lowest for i, text in enumerate(texts) if text == "-" and ranks}
            expected = {
                (i, j)
                for i, j in itertools.permutations(ranks, 2)
                if ranks[i] > ranks[j] and texts[i] != "-" and texts[i] != texts[j]
            }
            before = marks(draw.choice(["up", "down", 7]) for _ in texts)
            before = [{"ranking": [*reversed(order)]}] if kind == "ranking" else before
            earlier = before if kind == "ranking" or len(statements) == len(texts) else []
            assert pairs(decided(texts, *earlier, *statements)) == expected
            ballots = Ballots.count(ratings(*earlier, *statements))
            assert ballots.replaced == (len(earlier) if kind != "ranking" else 1)


@pytest.mark.parametrize(
    ("texts", "said", "expected", "left"),
    [
        # A comparison of the two is more than their marks; the majority of people decides it.
        ("ab", [*marks(["up", "down"]), {"better": 1, "worse": 0}], {(1, 0)}, {}),
        (
            "ab",
            [{"better": 0, "worse": 1, "user": u} for u in "uv"]
            + [{"better": 1, "worse": 0, "user": "w"}],
            {(0, 1)},
            {},
        ),
        (
            "ab",
            [{"ranking": [0, 1], "user": "u"}, {"ranking": [1, 0], "user": "v"}],
            set(),
            {CONTRADICTED: 1},
        ),
        # The same person changed it.
        ("ab", [{"ranking": [0, 1]}, {"ranking": [1, 0]}], {(1, 0)}, {}),
        # Thumbs by several: more of one kind, or as many.
        (
            "abc",
            [
                *marks(["up", "up", "down"], user="u"),
                *marks(["up", "down"], user="v"),
                *marks(["down"], user="w"),
            ],
            {(0, 2)},
            {EVEN: 1},
        ),
        # Numbers: their means. A thumb of the same person takes a number's place.
        ("ab", [*marks([1, 2], user="u"), *marks([4], user="v")], {(0, 1)}, {}),
        ("ab", [*marks([1, 2]), *marks(["up", "down"])], {(0, 1)}, {}),
        ("ab", [*marks([1, 2], user="u"), *marks(["up"], user="v")], {(1, 0)}, {}),
        # Thumbs and numbers are two scales, which may contradict each other.
        ("ab", [*marks([1, None]), *marks([None, "up"])], set(), {}),
        (
            "ab",
            [*marks([1, 2], user="u"), *marks(["up", "down"], user="v")],
            set(),
            {CONTRADICTED: 1},
        ),
        ("aa", [*marks(["up", "down"])], set(), {SAME: 1}),
        ("a-", [{"better": 1, "worse": 0}], set(), {FAILED: 1}),
        ("a-", [{"better": 0, "worse": 1}], {(0, 1)}, {}),
        ("a-b", [*marks(["up"])], {(0, 1)}, {}),
        ("a-b", [*marks(["down"])], set(), {}),
        ("a-b", [*marks([-5])], {(0, 1)}, {}),
        ("--", [*marks(["up", "down"])], set(), {}),
    ],
)
def test_what_they_say_together(
    texts: str, said: list[dict[str, Any]], expected: set[Any], left: dict[str, int]
) -> None:
    found = decided(texts, *said)
    assert pairs(found) == expected
    assert {why: n for why, n in found.left_out.items() if n} == left


def test_the_last_ones_of_many() -> None:
    """Every question is asked again and again; its pairs do not grow with the square of that."""
    traces = {f"x:{i}": answer(str(i)) for i in range(90)}
    ballots = Ballots.count(ratings(*marks(["up", "down"] * 45)))
    found = decide(traces, ballots)
    assert found.left_out[MANY] == 90 - MOST
    last = [*range(90 - MOST, 90)]
    assert pairs(found) == {(i, j) for i in last for j in last if i % 2 == 0 and j % 2 == 1}


def test_comparisons_are_within_one_answer_and_marks_across() -> None:
    traces = {"x:0": answer("a"), "x:1": answer("b"), "y:0": answer("c"), "y:1": answer("d")}
    said = [
        read_rating({"id": "x", "ranking": [1, 0]}, 2),
        read_rating({"id": "y", "rating": "up", "choice": 0}, 2),
        read_rating({"id": "x", "rating": "down", "choice": 0}, 2),
    ]
    found = decide(traces, Ballots.count(said))
    assert {*found.pairs} == {("x:1", "x:0"), ("y:0", "x:0")}
