"""Settings of nodes and stop strings, from a graph to what is scored, against transformers."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import sysgraph
from sysgraph import Completion, InputError, Program, System, Trace
from sysgraph.data.preferences import pair_row
from sysgraph.engines import Search
from sysgraph.traces.pair import Pair

MakeProgram = Callable[..., Program]
Strings = tuple[str, ...]

QUESTIONS = ("How many clips did she sell?", "Q", "She sold 48 clips in April, half in May. Total?")
ROOM = 24


class Oracle:
    """What transformers itself writes and scores, in float64: no rounding decides."""

    def __init__(self, folder: Path) -> None:
        self.module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    @cache  # noqa: B019 - as long as the module's tests
    def greedy(self, question: str, *, room: int = ROOM, stop: Strings = ()) -> tuple[int, ...]:
        prompt = self.tokenizer(question, return_tensors="pt")
        how = {"stop_strings": list(stop), "tokenizer": self.tokenizer} if stop else {}
        out = self.module.generate(**prompt, max_new_tokens=room, do_sample=False, **how)
        return tuple(out[0, prompt["input_ids"].shape[1] :].tolist())

    def text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def log_prob(self, question: str, ids: Sequence[int]) -> float:
        start = self.tokenizer.encode(question)
        with torch.no_grad():
            logits = self.module(torch.tensor([[*start, *ids]])).logits[0, len(start) - 1 : -1]
        return float(logits.log_softmax(-1)[range(len(ids)), list(ids)].sum())

    def two_tokens(self, question: str, at: int) -> str:
        """A string of two tokens of the greedy text, which it does not have before them."""
        ids = self.greedy(question)
        before, whole = self.text(ids[:at]), self.text(ids[: at + 2])
        string = whole[len(before) :][-4:]
        assert string not in whole[:-1]
        return string


@pytest.fixture(scope="module")
def oracle(plain_folder: Path) -> Oracle:
    return Oracle(plain_folder)


def value(trace: Trace, name: str) -> Completion:
    found = trace.values[name]
    assert isinstance(found, Completion)
    return found


def test_greedy_texts_are_those_of_transformers(
    several_nodes: MakeProgram, plain_folder: Path, oracle: Oracle
) -> None:
    """Nodes of one model, each with its own settings, beside one that draws at random."""
    stop = tuple(oracle.two_tokens(question, 6) for question in QUESTIONS)
    greedy: dict[str, Any] = {"model": "ada", "prompt": "{{ question }}", "temperature": 0}
    nodes = {
        "as_model": greedy,
        "free": {**greedy, "stop": []},
        "short": {**greedy, "max_new_tokens": 3},
        "other": {**greedy, "stop": [oracle.two_tokens(QUESTIONS[0], 10)], "max_new_tokens": 20},
        "random": {**greedy, "temperature": 1, "top_p": 0.9},
    }
    model = {"id": str(plain_folder), "max_new_tokens": ROOM, "stop": list(stop)}
    system = System(several_nodes({"ada": model}, nodes), device="cpu")
    traces = system.sample([{"question": question} for question in QUESTIONS], n=2)
    how: dict[str, dict[str, Any]] = {
        "as_model": {"stop": stop},
        "free": {},
        "short": {"room": 3, "stop": stop},
        "other": {"room": 20, "stop": tuple(nodes["other"]["stop"])},
    }
    for trace in traces:
        question = trace.inputs["question"]
        for name, settings in how.items():
            found = value(trace, name)
            assert found.ids == oracle.greedy(question, **settings), name
            text = oracle.text(found.ids or ())
            ended = [text.index(one) for one in settings.get("stop", ()) if one in text]
            assert found.text == text[: min(ended, default=None)]
        assert len(value(trace, "as_model").ids or ()) <= 8 < len(value(trace, "free").ids or ())
    alone = several_nodes({"ada": model}, {"random": nodes["random"]})
    drawn = System(alone, device="cpu").sample([{"question": q} for q in QUESTIONS], n=2)
    assert [value(t, "random") for t in drawn] == [value(t, "random") for t in traces]
    assert len({value(t, "random").ids for t in drawn}) == 6


def test_the_very_ids_that_were_drawn_are_trained_on(
    one_node: MakeProgram, plain_folder: Path, oracle: Oracle, tmp_path: Path
) -> None:
    """Through a file of pairs; a text without ids has its end of sequence, as ever."""
    settings: dict[str, Any] = {"max_new_tokens": ROOM, "stop": ["e", "2", "\n"]}
    program = one_node(plain_folder, **settings)
    system = System(program, device="cpu")
    sides = system.sample({"question": QUESTIONS[0]}, n=8, seed=1)
    cut = [t for t in sides if value(t, "answer").text != oracle.text(value(t, "answer").ids or ())]
    chosen, rejected = cut[:2]
    row = json.loads(json.dumps(pair_row(program, Pair(chosen, rejected, ""), tmp_path)))
    (pair,) = sysgraph.load_pairs(program, [row])
    for trace, side in ((pair.chosen, chosen), (pair.rejected, rejected)):
        ids = value(side, "answer").ids or ()
        assert value(trace, "answer") == value(side, "answer")
        assert not set(value(side, "answer").text) & {"e", "2", "\n"}
        wanted = oracle.log_prob(QUESTIONS[0], ids)
        assert system.log_prob([trace])["answer"].item() == pytest.approx(wanted, abs=1e-4)

    def scored(program: Program, answer: Completion) -> float:
        trace = Trace(chosen.inputs, {"answer": answer}, ("answer",))
        return float(System(program, device="cpu").log_prob([trace])["answer"].detach())

    drawn = value(chosen, "answer")
    end = oracle.tokenizer.eos_token
    plain = oracle.tokenizer.encode(QUESTIONS[0] + drawn.text + end)
    plain = plain[len(oracle.tokenizer.encode(QUESTIONS[0])) :]
    as_text = pytest.approx(oracle.log_prob(QUESTIONS[0], plain), abs=1e-4)
    assert scored(program, Completion(drawn.text)) == as_text
    unstopped = one_node(plain_folder, **{**settings, "stop": ["#"]})
    assert scored(unstopped, drawn) == as_text  # these ids do not give this text there
    late = Completion(drawn.text, (*(drawn.ids or ()), *(drawn.ids or ())))
    assert scored(program, late) == as_text  # sampling had ended before


def test_a_search_ends_texts_at_stop_strings(
    several_nodes: MakeProgram, plain_folder: Path, oracle: Oracle
) -> None:
    """One beam is greedy search; of more, each text has ended once, and its ids are its value's."""
    stop = [oracle.two_tokens(QUESTIONS[0], 6)]
    node = {"model": "ada", "prompt": "{{ question }}", "stop": stop, "max_new_tokens": 20}
    program = several_nodes({"ada": {"id": str(plain_folder)}}, {"answer": node})
    system = System(program, device="cpu")
    decoding = program.variable("answer").decoding
    one, several = system.search(
        [Search("ada", QUESTIONS[0], k, k, decoding=decoding) for k in (1, 4)]
    )
    assert one[0].ids == oracle.greedy(QUESTIONS[0], room=20, stop=tuple(stop))
    assert one[0].text == oracle.text(one[0].ids or ()).partition(stop[0])[0]
    assert len({found.ids for found in several}) == 4
    for found in several:
        ids = found.ids or ()
        assert stop[0] not in oracle.text(ids[:-1])
        trace = Trace({"question": QUESTIONS[0]}, {"answer": found}, ("answer",))
        wanted = pytest.approx(oracle.log_prob(QUESTIONS[0], ids), abs=1e-4)
        assert system.log_prob([trace])["answer"].item() == wanted


def test_a_node_has_its_own_room_in_the_window(
    several_nodes: MakeProgram, plain_folder: Path
) -> None:
    node = {"model": "ada", "prompt": "{{ question }}"}
    nodes = {"short": {**node, "max_new_tokens": 2}, "long": {**node, "max_new_tokens": 1000}}
    model = {"id": str(plain_folder), "max_new_tokens": 900}
    system = System(several_nodes({"ada": model}, nodes), device="cpu")
    said = r"max_new_tokens 1000 do not fit the window of 1024 of model 'ada'"
    with pytest.raises(InputError, match=said):
        system.sample({"question": "clips " * 30})
    alone = System(several_nodes({"ada": model}, {"short": nodes["short"]}), device="cpu")
    assert len(value(alone.sample({"question": "clips " * 30})[0], "short").ids or ()) <= 2
