"""Preference rows whose sides begin with the prompt; the oracle is TRL's own extraction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trl.data_utils import extract_prompt

from sysgraph import DataError, Program
from sysgraph.data import load_inputs, load_pairs
from sysgraph.data.implicit import with_prompt

Programs = Callable[[str], Program]
Rows = Callable[..., Path]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def answer(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


HH = "\n\nHuman: What color?\n\nAssistant: Which thing?\n\nHuman: The sky.\n\nAssistant:"
SHARED: dict[str, tuple[Any, Any]] = {
    "hh-rlhf": (HH + " Blue.", HH + " Green, I think."),
    "hh-rlhf, the answers begin alike": (HH + " I think blue.", HH + " I think green."),
    "text": ("The sky is blue.", "The sky is green."),
    "text, one begins the other": ("The sky is blue", "The sky is blue, I think."),
    "text, equal": ("The sky is blue.", "The sky is blue."),
    "messages": ([user("q"), answer("good")], [user("q"), answer("bad")]),
    "messages, equal": ([user("q"), answer("good")], [user("q"), answer("good")]),
}


@pytest.mark.parametrize("style", SHARED)
def test_the_prompt_is_trls(style: str, program: Programs) -> None:
    row = dict(zip(("chosen", "rejected"), SHARED[style], strict=True))
    assert with_prompt(program("one"), row) == extract_prompt(row)


@pytest.mark.parametrize("beside", [{}, {"score": 0.5, "id": 3}, {"source": "harmless"}])
def test_hh_rlhf(beside: dict[str, Any], program: Programs, jsonl: Rows) -> None:
    chosen, rejected = SHARED["hh-rlhf"]
    file = jsonl({"chosen": chosen, "rejected": rejected, **beside})
    (pair,) = load_pairs(program("one"), file)
    assert dict(pair.chosen.inputs) == {"question": HH}
    assert (pair.chosen["answer"], pair.rejected["answer"]) == (" Blue.", " Green, I think.")
    assert dict(pair.chosen.extra) == beside
    (row,) = load_inputs(program("one"), file)  # the same row asks the system the same
    assert row["question"] == HH


def ultrafeedback(**changed: Any) -> dict[str, Any]:
    row = {
        "prompt": "q",
        "prompt_id": "5f",
        "chosen": [user("q"), answer("good")],
        "rejected": [user("q"), answer("bad")],
        "messages": [user("q"), answer("good")],
        "score_chosen": 8.5,
    }
    return {**row, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"prompt": "q \n"},
        {"prompt": None},
        {"prompt": [user("q")]},
        {"prompt": None, "question": "q"},
        {"prompt": None, "inputs": {"question": "q"}},
    ],
    ids=str,
)
def test_ultrafeedback(changed: dict[str, Any], program: Programs, jsonl: Rows) -> None:
    """The sides are whole dialogues, whose first turn repeats the prompt."""
    file = jsonl(ultrafeedback(**changed))
    (pair,) = load_pairs(program("one"), file)
    assert dict(pair.chosen.inputs) == {"question": "q"}
    assert (pair.chosen["answer"], pair.rejected["answer"]) == ("good", "bad")
    assert load_inputs(program("one"), file)[0]["question"] == "q"


SYSTEM = {"role": "system", "content": "s"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another prompt": (ultrafeedback(prompt="other"), "begin with the text 'q'"),
    "a system turn": (
        ultrafeedback(
            prompt=None,
            chosen=[SYSTEM, user("q"), answer("good")],
            rejected=[SYSTEM, user("q"), answer("bad")],
        ),
        "prompt: messages by system, user",
    ),
    "a system turn before an input": (
        ultrafeedback(
            prompt=None,
            question="q",
            chosen=[SYSTEM, user("q"), answer("good")],
            rejected=[SYSTEM, user("q"), answer("bad")],
        ),
        "begin with messages by system, user",
    ),
    "two prompts": (
        ultrafeedback(prompt="q", rejected=[user("other"), answer("bad")]),
        "chosen begins with user 'q', rejected with user 'other'; expected two answers to one",
    ),
    "a misspelt input": ({"questoin": "q", "chosen": "red", "rejected": "round"}, "misspelling"),
    "an input by another name": (
        {"instruction": "q", "chosen": "red", "rejected": "round"},
        "no 'inputs'",
    ),
    "nothing shared": ({"chosen": "a", "rejected": "b"}, "no 'inputs'"),
    "only blanks shared": ({"chosen": " a", "rejected": " b"}, "no 'inputs'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, program: Programs, jsonl: Rows) -> None:
    row, words = REFUSED[name]
    with pytest.raises(DataError, match=words):
        load_pairs(program("one"), jsonl(row))


def test_sides_by_node_are_not_read_so(program: Programs, jsonl: Rows) -> None:
    with pytest.raises(DataError, match="no 'inputs'"):
        load_pairs(
            program("one"), jsonl({"chosen": {"answer": "ab"}, "rejected": {"answer": "ac"}})
        )


@pytest.fixture(params=["text", "messages"])
def prompt(request: pytest.FixtureRequest) -> Any:
    return "q" if request.param == "text" else [user("q")]


def test_inputs_have_trls_prompt(prompt: Any, program: Programs, jsonl: Rows) -> None:
    """As pairs do: one file serves `fit`, `collect` and `eval`."""
    (row,) = load_inputs(program("one"), jsonl({"prompt": prompt, "reference": "r"}))
    assert row == {"question": "q", "reference": "r"}


def test_rows_from_python(program: Programs) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"prompt": 3, "chosen": "x"},
    ]
    (pair,) = load_pairs(program("one"), rows[:1])
    assert (pair.source, pair.chosen["answer"]) == ("row 1", "good")
    (row,) = load_inputs(program("one"), ({"question": "q"},))
    assert row == {"question": "q"}
    with pytest.raises(DataError, match="row 2: no 'rejected'"):
        load_pairs(program("one"), rows)
