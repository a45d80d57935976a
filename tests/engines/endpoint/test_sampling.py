"""What a hosted model is asked, what is asked once alone, and where its key goes."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import sysgraph
from sysgraph import System
from sysgraph.engines import Draw
from sysgraph.traces.prompt import ChatTurn

from ...measuring.judges.server import KEY, Answer, Asked, serving

Build = Callable[..., System]


def said(asked: Asked) -> str:
    return f"seed {asked.body['seed']}"


def test_messages_and_plain_prompts_with_every_setting_and_a_seed_each(build: Build) -> None:
    with serving(said) as server:
        traces = build(url=server.url).sample({"question": "sky"}, n=3)
    by_path = {path: [one.body for one in server.asked if one.path == path] for path in PATHS}
    chat, plain = by_path[PATHS[0]], by_path[PATHS[1]]
    assert len({body["seed"] for body in chat}) == len({body["seed"] for body in plain}) == 3
    for body in chat:
        assert body["seed"] < 2**31
        assert body == {
            "seed": body["seed"],
            "model": "org/ada",
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "sky"},
            ],
            "max_tokens": 9,
            "temperature": 0.5,
        }
    for body in plain:
        wanted = {"model": "bo", "prompt": "sky is", "max_tokens": 256}
        assert body == {"seed": body["seed"], **wanted}
    assert {str(t["draft"]) for t in traces} == {f"seed {s}" for s in seeds(server.asked, PATHS[0])}
    assert {str(t["hint"]) for t in traces} == {f"seed {s}" for s in seeds(server.asked, PATHS[1])}


PATHS = ("/v1/chat/completions", "/v1/completions")


def seeds(asked: list[Asked], path: str) -> set[int]:
    return {int(one.body["seed"]) for one in asked if one.path == path}


def test_equal_draws_are_asked_about_once_here_and_in_the_next_process(build: Build) -> None:
    def draws(system: System) -> list[object]:
        asked = [Draw("bo", "sky", seed) for seed in (1, 2, 1)] + [Draw("ada", TURNS, 1)]
        return list(system.draw(asked))

    with serving(said) as server:
        first = draws(build(url=server.url))
        assert len(server.asked) == 3
        assert first[0] == first[2] != first[1]
        assert draws(build(url=server.url)) == first
        assert len(server.asked) == 3
        build(url=server.url).draw([Draw("bo", "sky", 3), Draw("bo", "night", 1)])
        assert len(server.asked) == 5
    with serving(lambda asked: "other") as other:
        assert [one.text for one in build(url=other.url).draw([Draw("bo", "sky", 1)])] == ["other"]  # type: ignore[union-attr]


def test_as_many_requests_are_under_way_as_is_asked_for(build: Build) -> None:
    together = threading.Barrier(20, timeout=60)  # answers once 20 wait; else it breaks

    def respond(asked: Asked) -> str:
        together.wait()
        return said(asked)

    with serving(respond) as server:
        system = build(url=server.url)
        system.ask_at_once(20)
        assert system.inputs_at_once(1) == 80
        texts = system.draw([Draw("bo", "sky", seed) for seed in range(40)])
    assert len({str(text) for text in texts}) == len(server.asked) == 40


TURNS = (ChatTurn("user", "half \ud83d of a character"),)


def test_a_key_goes_to_the_address_of_its_name_alone(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-alone")
    monkeypatch.setenv("OPENAI_ORG_ID", "our-organization")
    monkeypatch.setenv("SYSGRAPH_API_KEY_ADA", KEY)
    asked = [Draw("ada", "x", 1), Draw("bo", "x", 1)]
    with serving(said) as ours, serving(said) as theirs:
        build(url=theirs.url, ada=ours.url).draw(asked)
        assert [one.authorization for one in ours.asked] == [f"Bearer {KEY}"]
        assert [one.authorization for one in theirs.asked] == [None]
        build(url=theirs.url).draw(asked)  # `ada` too is there now, and its key is not for that
        monkeypatch.setenv("SYSGRAPH_API_KEY", "sk-common-0123456789")
        monkeypatch.setenv("SYSGRAPH_ENDPOINT_ADA", ours.url)
        monkeypatch.setenv("SYSGRAPH_ENDPOINT", theirs.url)
        build().draw([Draw("ada", "y", 1), Draw("bo", "y", 1)])
        found = [one.authorization for one in theirs.asked]
        assert found == [None, None, "Bearer sk-common-0123456789"]
        assert [one.authorization for one in ours.asked] == [f"Bearer {KEY}"] * 2
        everything = json.dumps([one.headers for one in (*ours.asked, *theirs.asked)])
    assert "sk-of-openai" not in everything
    assert "our-organization" not in everything


def test_at_temperature_zero_one_answer_serves_all(tmp_path: Path) -> None:
    graph = sysgraph.load(
        "sysgraph: 1\nname: g\nmodels: {m: {kind: endpoint, id: m, temperature: 0}}\n"
        "nodes: {q: {kind: input}, a: {kind: lm, model: m, prompt: '{{ q }}'}}\n"
        "edges: [q -> a]\noutputs: [a]\n"
    )
    with serving(lambda asked: "one") as server:
        system = System(sysgraph.compile(graph), device="cpu", endpoints={"m": server.url})
        assert {str(t["a"]) for t in system.sample({"q": "?"}, n=5)} == {"one"}
    assert [one.body["temperature"] for one in server.asked] == [0]


def test_servers_that_speak_another_dialect(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    def respond(asked: Asked) -> Answer | str:
        if "max_tokens" in asked.body:
            return Answer("'max_tokens' is not supported: use 'max_completion_tokens'", 400)
        return Answer("Extra inputs: seed", 422) if "seed" in asked.body else "fine"

    with serving(respond) as server:
        drawn = build(url=server.url).draw([Draw("bo", "x", seed) for seed in range(40)])
    assert {one.text for one in drawn} == {"fine"}  # type: ignore[union-attr]
    assert 42 <= len(server.asked) <= 42 + 2 * 7  # what eight threads had under way
    assert capsys.readouterr().err.count("takes no seed") == 1


def test_direct_trains_beside_it_and_needs_no_address(graph: Path, tmp_path: Path) -> None:
    """By hand: a frozen term cancels, so that the loss is the table's alone."""
    rows = [
        {
            "inputs": {"question": "sky"},
            "chosen": {"draft": "d", "hint": "h", "answer": "yes"},
            "rejected": {"draft": "e", "hint": "i", "answer": "no"},
        }
    ] * 2
    run = sysgraph.fit(graph, data=rows, output=tmp_path / "run")
    system = System(sysgraph.compile(sysgraph.load(graph)), device="cpu", model_dir=run.folder)
    logits = system.parameters("judge")["logits"][0].detach()
    by_hand = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.AdamW([by_hand], lr=1e-4, weight_decay=0)
    for step in range(2):
        optimizer.param_groups[0]["lr"] = 1e-4 * (1 - step / 2)
        margin = 0.1 * (by_hand.log_softmax(-1)[0] - by_hand.log_softmax(-1)[1])
        optimizer.zero_grad()
        (-torch.nn.functional.logsigmoid(margin)).backward()
        optimizer.step()
    torch.testing.assert_close(logits, by_hand.detach(), atol=1e-9, rtol=1e-4)


def test_a_row_without_its_value_can_not_be_summed_over(graph: Path) -> None:
    program = sysgraph.compile(sysgraph.load(graph))
    sides = {"chosen": {"hint": "h", "answer": "yes"}, "rejected": {"hint": "h", "answer": "no"}}
    row = {"inputs": {"question": "sky"}, **sides}
    with pytest.raises(sysgraph.DataError, match=r"no value for draft; .* gives no likelihood"):
        sysgraph.load_pairs(program, [row])
