"""Sampling by another engine than the one that trains: who is asked, and which weights it has."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

import sysgraph
from sysgraph import Completion, InputError, System
from sysgraph.engines import Draw, Search, Trained

GRAPH = {
    "sysgraph": 1,
    "name": "two",
    "models": {
        "far": {"kind": "table", "values": ["a", "b"]},
        "near": {"kind": "table", "values": ["c", "d"]},
    },
    "nodes": {
        "question": {"kind": "input"},
        "draft": {"kind": "lm", "model": "far", "prompt": "{{ question }}"},
        "answer": {"kind": "lm", "model": "near", "prompt": "{{ draft }}"},
    },
    "edges": ["question -> draft", "draft -> answer"],
    "outputs": ["answer"],
}


class Server:
    """Draws the likeliest value of the weights that it was sent."""

    def __init__(self) -> None:
        self.sent: list[Tensor] = []
        self.drawn: list[str] = []

    def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Completion]:
        self.drawn += [draw.model for draw in draws]
        return [Completion("ab"[int(self.sent[-1].argmax())]) for _ in draws]

    def refusal(self, draw: Draw) -> str | None:
        return None

    def room(self, model: str) -> int | None:
        return None

    def receive(self, model: str, trained: Trained) -> None:
        self.sent.append(trained.parameters(model)["logits"].detach().clone()[0])


class Searching(Server):
    def search(self, searches: Sequence[Search]) -> list[list[Completion]]:
        return [[Completion("b")] for _ in searches]


def build(elsewhere: Mapping[Any, Any], **far: str) -> System:
    models = {**GRAPH["models"], "far": {**GRAPH["models"]["far"], **far}}  # type: ignore[dict-item]
    program = sysgraph.compile(sysgraph.load(json.dumps({**GRAPH, "models": models})))
    return System(program, device="cpu", elsewhere=elsewhere)


def test_weights_are_sent_when_they_have_changed_and_only_then() -> None:
    server = Server()
    system = build({"sampled": {"far": server}})
    logits = system.parameters("far")["logits"]
    with torch.no_grad():
        logits[0, 1] = 1.0
    assert {str(t["draft"]) for t in system.sample({"question": "?"}, n=9)} == {"b"}
    system.sample({"question": "?"}, n=2)
    assert len(server.sent) == 1
    assert set(server.drawn) == {"far"}  # the other model's own engine draws for it

    optimizer = torch.optim.AdamW([logits], lr=5.0, fused=True)  # counts up no version
    (logits[0, 1] - logits[0, 0]).backward()
    optimizer.step()
    optimizer.zero_grad()
    assert {str(t["draft"]) for t in system.sample({"question": "?"}, n=2)} == {"a"}
    assert len(server.sent) == 2
    torch.testing.assert_close(server.sent[-1], logits[0].detach())

    system.set_reference("far", {"logits": logits.detach()})  # changes nothing that is drawn
    system.sample({"question": "?"}, n=2)
    assert len(server.sent) == 2


def test_the_values_are_scored_by_the_engine_that_trains() -> None:
    system = build({"sampled": {"far": Server()}})
    values = system.log_prob(system.sample({"question": "?"}, n=2))
    assert values["draft"].tolist() == pytest.approx([torch.tensor(0.5).log().item()] * 2)
    values["draft"].sum().backward()
    assert system.parameters("far")["logits"].grad is not None


def test_a_search_can_be_elsewhere_and_the_draws_at_home() -> None:
    server = Searching()
    system = build({"searched": {"far": server}})
    assert system.search([Search("far", "?", 1, 1)]) == [[Completion("b")]]
    system.sample({"question": "?"}, n=2)
    assert len(server.sent) == 1
    assert server.drawn == []


def test_an_engine_that_gets_no_weights_draws_from_a_frozen_model() -> None:
    class Frozen(Server):
        receive = None  # type: ignore[assignment]

        def sample(self, draws: Sequence[Draw], *, batch_size: int | None = None) -> list[Any]:
            return [Completion("a") for _ in draws]

    system = build({"sampled": {"far": Frozen()}}, train="frozen")
    assert {str(t["draft"]) for t in system.sample({"question": "?"}, n=9)} == {"a"}


@pytest.mark.parametrize(
    ("elsewhere", "said"),
    [
        ({"sampled": {"far": object()}}, "object has no sample, refusal, room: it cannot be sampl"),
        ({"searched": {"far": Server()}}, "model 'far': Server has no search"),
        ({"sampled": {"fax": Server()}}, "model 'fax'; the system has"),
        ({"trained": {"far": Server()}}, "'trained' is no role of an engine elsewhere"),
    ],
    ids=["not an engine", "cannot search", "no model", "no role"],
)
def test_what_cannot_play_its_role_is_refused(elsewhere: Mapping[Any, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        build(elsewhere)


def test_a_server_without_receive_is_refused_for_a_trained_model() -> None:
    class Deaf:
        sample, refusal, room = Server.sample, Server.refusal, Server.room

    with pytest.raises(InputError, match="Deaf has no receive"):
        build({"sampled": {"far": Deaf()}})
