"""The world "office": what is true in it, and how well its clerk is taught."""

import random
from collections import Counter

import pytest

from sysgraph.measuring.scorers.office import office
from sysgraph.toys import inputs
from sysgraph.toys.language import build_tokenizer
from sysgraph.toys.office import SOURCES, right, roles, world
from sysgraph.traces.trace import Trace


@pytest.mark.parametrize("source", SOURCES)
def test_inputs_are_the_worlds_and_held_out(source: str) -> None:
    train, test = inputs(f"toy:{source}/train"), inputs(f"toy:{source}/test")
    assert len(train) > len(test) > 30
    assert not {str(row) for row in train} & {str(row) for row in test}
    assert train == inputs(f"toy:{source}/train")
    assert all(office.problem is not None and office.problem(row) is None for row in train)


def test_the_highest_count_and_the_notes() -> None:
    for row in inputs("toy:counts/test"):
        said = row["counts"].split(" ; ")
        assert right(row) in said
        assert all(int(right(row).split()[1]) >= int(one.split()[1]) for one in said)
    notes = {note["id"]: note["text"] for note in world.documents()}
    for row in inputs("toy:facts/test"):
        thing, name = row["question"].split()[4], row["question"].split()[6]
        assert notes[f"{thing}-{name}"] == f"the {thing} of {name} is {right(row)}"


def test_the_clerk_is_right_as_often_as_said() -> None:
    rng = random.Random(0)
    notes = Counter[tuple[str, bool]]()
    for prompt, answer in roles.examples(rng, 10_000):
        role = prompt.split()[-2]
        if role == "fold" and "most" in prompt:
            one, other = prompt.removesuffix(" | fold :").split(" | most ")
            notes[role, right({"counts": f"{one} ; {other}"}) == answer] += 1
        if role == "plan":
            notes[role, (answer == "paint") == prompt.startswith("draw")] += 1
    for role in ("fold", "plan"):
        share = notes[role, True] / (notes[role, True] + notes[role, False])
        assert share == pytest.approx(roles.RIGHT[role], abs=0.03)


def test_every_word_is_known_and_prompts_keep_their_ids() -> None:
    tokenizer = build_tokenizer(roles.vocabulary())
    for prompt, answer in roles.examples(random.Random(1), 2_000):
        ids = tokenizer(prompt)["input_ids"]
        assert tokenizer.unk_token_id not in tokenizer(f"{prompt} {answer}")["input_ids"]
        assert tokenizer(prompt + answer)["input_ids"][: len(ids)] == ids
        assert len(tokenizer(f"{prompt} {answer}")["input_ids"]) < 128


@pytest.mark.parametrize(
    ("row", "output", "score"),
    [
        ({"question": "what is 7 + 5 ?"}, "1 2", 1.0),
        ({"question": "what is 7 + 5 ?"}, "1 3", 0.0),
        ({"counts": "ada 3 ; bo 7"}, "bo 7", 1.0),
        ({"question": "draw", "attribute": "fog", "level": "0.5"}, "red", 0.0),
    ],
)
def test_scores(row: dict[str, str], output: str, score: float) -> None:
    assert office([Trace(row, {"answer": output}, ("answer",))]) == [score]
