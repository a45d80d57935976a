"""`collect` by a judge of two, by grades and by a reward: which pairs come of it, and its costs."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import InputError, RunError, Trace, collect
from sysgraph.measuring.judges import Comparison, Verdict
from sysgraph.measuring.scorers import find_scorer
from sysgraph.measuring.scorers.grade import read_grade

from ..judges.server import KEY, Answer, Asked, serving

GRAPH = """
sysgraph: 1
name: numbers
models: {m: {kind: table, values: ["1", "2", "3", none], probs: [[0.3, 0.3, 0.2, 0.2]]}}
parsers: {digit: {kind: regex, pattern: "[0-9]", on_failure: reject}}
nodes:
  question: {kind: input}
  raw: {kind: lm, model: m, prompt: "{{ question }}"}
  answer: {kind: parse, parser: digit}
edges: [question -> raw, raw -> answer]
outputs: [answer]
fit: {rounds: 1, steps: 2, batch_size: 4, eval_fraction: 0}
"""
ROWS = [{"question": f"q{i}"} for i in range(12)]
QUIET = sysgraph.support.progress.Reporter(shown=False)


class Higher:
    """Prefers the higher number, but for 2 and 3, of which it prefers the first shown."""

    name = "higher"

    def __init__(self) -> None:
        self.asked: list[Comparison] = []

    def compare(
        self, comparisons: Sequence[Comparison], *, advance: Callable[[int], None]
    ) -> list[Verdict | None]:
        self.asked += comparisons
        advance(len(comparisons))
        return ["a" if {c.a, c.b} == {"2", "3"} or c.a > c.b else "b" for c in comparisons]


def run(folder: Path, **changes: Any) -> tuple[Any, list[list[Any]], list[Any]]:
    """The collection, its answers by input, and its pairs: (input, chosen, rejected)."""
    found = collect(GRAPH, ROWS, output=folder, samples=4, reporter=QUIET, **changes)
    rows = [json.loads(line) for line in (folder / "traces.jsonl").open()]
    answers = [row["values"]["answer"] for row in rows]
    read = [json.loads(line) for line in (folder / "pairs.jsonl").open()]
    pairs = [
        (int(p["inputs"]["question"][1:]), p["chosen"]["answer"], p["rejected"]["answer"])
        for p in read
    ]
    return found, [answers[i : i + 4] for i in range(0, len(answers), 4)], pairs


def test_a_judge_makes_the_pairs_that_both_orders_agree_on(tmp_path: Path) -> None:
    judge = Higher()
    found, groups, pairs = run(tmp_path / "c", judge=judge, comparisons=6)
    expected: Counter[tuple[int, Any, Any]] = Counter()
    asked = 0
    for i, group in enumerate(groups):
        for a, b in itertools.combinations(sorted(set(group) - {None}), 2):
            asked += 1
            if (a, b) != ("2", "3"):
                expected[i, b, a] += 1
        lost = group.count(None)
        expected.update([(i, a, None) for a in group if a is not None] * lost)
    assert Counter(pairs) == expected
    assert found.pairs == len(pairs) > 20
    assert len(judge.asked) == 2 * asked
    shown = {(c.inputs["question"], c.a, c.b) for c in judge.asked}
    assert all((q, b, a) in shown for q, a, b in shown), "each in both orders"
    assert not any("scores" in line for line in (tmp_path / "c" / "pairs.jsonl").open())


def test_the_costs_are_bounded_and_what_was_drawn_stays(tmp_path: Path) -> None:
    few, more = Higher(), Higher()
    _, groups, pairs = run(tmp_path / "c", judge=few, comparisons=1)
    distinct = [len(set(group) - {None}) for group in groups]
    assert len(few.asked) == 2 * sum(n > 1 for n in distinct)
    before = (tmp_path / "c" / "traces.jsonl").read_bytes()
    _, _, all_pairs = run(tmp_path / "c", judge=more, comparisons=3)
    assert (tmp_path / "c" / "traces.jsonl").read_bytes() == before
    assert len(more.asked) == 2 * sum(n * (n - 1) // 2 for n in distinct) > len(few.asked)
    assert not Counter(pairs) - Counter(all_pairs)


def test_fit_takes_the_pairs_of_a_judge(tmp_path: Path) -> None:
    run(tmp_path / "c", judge=Higher())
    trained = sysgraph.fit(
        GRAPH, data=tmp_path / "c", output=tmp_path / "run", reporter=QUIET
    ).folder
    assert (trained / "models" / "m").is_dir()


@pytest.mark.parametrize(
    "given",
    [{}, {"judge": Higher(), "scorer": "attributes"}, {"by_hand": True, "scorer": "attributes"}],
)
def test_one_says_which_is_better(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of --scorer, --judge, --by-hand and --ans"):
        collect(GRAPH, ROWS, output=tmp_path / "c", **given)
    assert not (tmp_path / "c").exists()


# ---- grades


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    def at(url: str) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("SYSGRAPH_CACHE", str(tmp_path / "cache"))

    return at


def answer_in(asked: Asked) -> str:
    return str(asked.body["messages"][0]["content"]).partition("ANSWER\n")[2].split("\n")[0]


def test_grades_are_scores_of_collect_and_of_rounds(
    environment: Callable[[str], None], tmp_path: Path
) -> None:
    grades = {"1": "Grade: 2/10", "2": "7", "3": "**9**"}
    with serving(lambda asked: grades[answer_in(asked)]) as server:
        environment(server.url)
        _, groups, pairs = run(tmp_path / "c", scorer="judge:openai:big")
        expected = [
            (i, max(a, b, key=str), min(a, b, key=str))
            for i, group in enumerate(groups)
            for a, b in itertools.combinations(["0" if a is None else a for a in group], 2)
            if a != b
        ]
        assert [(i, a, b or "0") for i, a, b in pairs] == expected
        assert len(server.asked) == sum(len(set(group) - {None}) for group in groups)
        assert {one.body["temperature"] for one in server.asked} == {0}
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        fit = f"inputs: {tmp_path / 'in.jsonl'}, scorer: judge:openai:big, rounds: 1"
        asked = len(server.asked)
        sysgraph.fit(GRAPH.replace("rounds: 1", fit), output=tmp_path / "run", reporter=QUIET)
        assert len(server.asked) - asked <= 12, "other samples of these inputs, answers as known"
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()


def test_what_a_grader_refuses_is_left_out_and_told(
    environment: Callable[[str], None], tmp_path: Path
) -> None:
    def respond(asked: Asked) -> Answer | str:
        return Answer("too hot", 400) if answer_in(asked) == "3" else "5"

    with serving(respond) as server:
        environment(server.url)
        found, groups, pairs = run(tmp_path / "c", scorer="judge:openai:big")
        count = sum(group.count("3") for group in groups)
        assert count > 2
        assert (found.stopped, found.why[-28:]) == (
            count,
            "judge:openai:big gave it no grade"[-28:],
        )
        assert not any("3" in pair for pair in pairs)
        trace = Trace({"question": "q"}, {"answer": "3"}, ("answer",))
        fine = Trace({"question": "q"}, {"answer": "1"}, ("answer",))
        with pytest.raises(RunError, match=r"gave it no grade, '3' \(the inputs question='q'\)"):
            find_scorer("judge:openai:big")([fine, trace])


@pytest.mark.parametrize(
    ("reply", "grade"),
    [
        ("7", 7),
        (" **10** ", 10),
        ("Score: 8/10.", 8),
        ("The grade is 6 out of 10.", 6),
        ("<think>2? 3?</think>\n4", 4),
        ("9\n\nIt is right, and 3 lines long.", 9),
        ("I would say it is fine.\nGrade: 3", 3),
        ("0", None),
        ("11", None),
        ("7.5", None),
        ("-3 of 100", None),
        ("between 6 and 7", None),
        ("6\n8", None),
        ("", None),
    ],
)
def test_grades_are_read(reply: str, grade: int | None) -> None:
    assert read_grade(reply) == grade
