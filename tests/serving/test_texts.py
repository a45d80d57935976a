"""Language models behind the server: tokens are streamed and counted, in whatever batch."""

from typing import Any

import pytest
from transformers import AutoTokenizer

import sysgraph
from sysgraph import System
from sysgraph.serving import Service
from sysgraph.serving.asked import Asked
from sysgraph.serving.ticket import Answered, Progress, Written
from sysgraph.support.progress import Reporter
from sysgraph.toys.cache import model_folder

from .serving import served, until

GRAPH = """
name: two
models:
  a: {kind: causal_lm, id: toy:specialist-color, max_new_tokens: 8}
nodes:
  question: {kind: input}
  draft: {kind: lm, model: a, prompt: "{{ question }}"}
  answer: {kind: lm, model: a, prompt: "{{ question }} | {{ draft }}", max_new_tokens: 2}
edges: ["question -> draft", "question, draft -> answer"]
outputs: [answer]
"""
QUESTIONS = ["what is zor ?", "what is fam ?", "what is zor ?"]


def test_tokens_are_told_and_counted_in_any_batch() -> None:
    found = System(sysgraph.compile(sysgraph.load(GRAPH)), device="cpu")
    events: list[list[Any]] = [[] for _ in QUESTIONS]
    service = Service(found, reporter=Reporter(shown=False))
    for question, heard in zip(QUESTIONS, events, strict=True):
        asked = Asked({"question": question}, 2, 3, stream=True, values=heard is events[1])
        service.submit(asked, heard.append)
    with service:  # it finds them all waiting
        until(lambda: all(heard and isinstance(heard[-1], Answered) for heard in events))
    tokenizer = AutoTokenizer.from_pretrained(model_folder("toy:specialist-color"))
    for question, heard in zip(QUESTIONS, events, strict=True):
        wanted = found.sample({"question": question}, 2, seed=3)
        assert heard[-1].traces == wanted
        read = written = 0
        for index, trace in enumerate(wanted):
            parts = [e.text for e in heard if isinstance(e, Written) and e.index == index]
            assert "".join(parts) == trace["answer"]
            assert len(parts) == len(str(trace["answer"]).split())
            draft = trace["draft"]
            for prompt in (question, f"{question} | {draft}"):
                read += len(tokenizer(prompt)["input_ids"])
            written += sum(len(trace.values[name].ids) for name in ("draft", "answer"))
        assert heard[-1].usage.plain()["prompt_tokens"] == read
        assert heard[-1].usage.plain()["completion_tokens"] == written
    assert sum(isinstance(event, Progress) for event in events[1]) == 4
    assert not any(isinstance(event, Progress) for event in events[0])


@pytest.mark.parametrize(("most", "why"), [(2, "length"), (8, "stop")])
def test_a_text_that_was_cut_says_so(most: int, why: str) -> None:
    graph = GRAPH.replace("max_new_tokens: 2", f"max_new_tokens: {most}")
    found = System(sysgraph.compile(sysgraph.load(graph)), device="cpu")
    with served(found) as server, server.client() as client:
        answer = client.chat.completions.create(
            model="two", messages=[{"role": "user", "content": QUESTIONS[0]}], n=8, seed=1
        )
    assert {choice.finish_reason for choice in answer.choices} == {why}


def test_a_text_that_nobody_waits_for_ends_amid_the_others() -> None:
    graph = GRAPH.replace("max_new_tokens: 2", "max_new_tokens: 8")
    found = System(sysgraph.compile(sysgraph.load(graph)), device="cpu")
    service = Service(found, reporter=Reporter(shown=False))
    events: list[list[Any]] = [[], []]

    def leave(event: Any) -> None:
        events[0].append(event)
        if isinstance(event, Written):
            service.give_up(leaving)

    leaving = service.submit(Asked({"question": QUESTIONS[0]}, 1, 3, stream=True), leave)
    service.submit(Asked({"question": QUESTIONS[1]}, 1, 3), events[1].append)
    with service:
        until(lambda: bool(events[1]))
    wanted = [found.sample({"question": q}, seed=3)[0] for q in QUESTIONS[:2]]
    assert events[1][-1].traces == [wanted[1]]
    (left,) = events[0][-1].traces
    assert left["draft"] == wanted[0]["draft"]
    assert left.values["answer"].ids == wanted[0].values["answer"].ids[:1]
    assert len(wanted[0].values["answer"].ids) > 2
