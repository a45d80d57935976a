"""Servers that go away, come back without their adapters, or draw from something else."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sysgraph import InputError, RunError, Servers, System
from sysgraph.engines import Draw, Refused

from ..conftest import several_nodes_program
from .conftest import GPU, Told
from .vllm_like import Vllm, serving

Build = Callable[..., System]


def draws(count: int) -> list[Draw]:
    return [Draw("ada", f"how many {i}", i) for i in range(count)]


def test_a_server_that_is_away_for_a_while_is_waited_for(
    build: Build, vllm: Vllm, told: Told
) -> None:
    system = build(ada={})
    assert len(system.draw(draws(2))) == 2
    vllm.down = 3
    assert len(system.draw(draws(4))) == 4
    away = [line for line in told.lines if "does not answer" in line]
    assert len(away) == 1, "however many requests wait"
    assert "asking again for" in away[0]
    assert told.lines[-1].endswith("answers again")


def test_one_that_goes_down_with_requests_under_way(
    build: Build, vllm: Vllm, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysgraph.engines.server.site._PULSE", 0.2)
    system = build(ada={})
    system.draw(draws(1))
    vllm.hung = threading.Event()
    assert len(system.draw(draws(2))) == 2
    assert "it has stopped, with a request under way" in told.lines[-2]


def test_one_that_stays_away_ends_the_run_and_what_came_is_kept(build: Build, vllm: Vllm) -> None:
    system = build(ada={})
    system.ask_at_once(1)
    system.draw(draws(2))
    vllm.dies_after = len(vllm.asked) + 3
    with pytest.raises(RunError, match=r"does not answer: .*; 3 of 6 requests were answered, and "):
        system.draw(draws(8))
    vllm.down = 0
    other = build(ada={})  # as a new process: nothing but what is on disk
    before = len(vllm.bodies())
    assert len(other.draw(draws(8))) == 8
    fresh = [b for b in vllm.bodies()[before:] if "logprobs" not in b]
    assert len(fresh) == 3


def test_one_that_was_started_anew_is_sent_its_adapters_and_proven_again(
    build: Build, vllm: Vllm, told: Told, jitter: Callable[[System, float], None]
) -> None:
    system = build(ada={}, bo={})
    jitter(system, 0.3)
    system.draw([*draws(1), Draw("bo", "x y", 1)])
    vllm.restart()
    told.lines.clear()
    found = system.draw(draws(3))
    assert len(vllm.adapters) == 2
    assert "it is sent the adapters again" in told.lines[0]
    assert any("draws from model 'ada' as it is here" in line for line in told.lines)
    assert build(ada={}, bo={}).draw(draws(3)) != found


def test_what_draws_from_something_else_is_found_before_a_text_is_used(
    build: Build, vllm: Vllm, plain_folder: Path, chat_folder: Path, tmp_path: Path
) -> None:
    class Stale(Vllm):
        def _logits(self, model: str, ids: list[int]) -> torch.Tensor:
            return super()._logits("base", ids)

    def refused(match: str, server: Vllm) -> None:
        program = several_nodes_program(
            {"ada": {"id": str(chat_folder), "max_new_tokens": 6, "sampler": GPU}},
            {"a": {"model": "ada", "prompt": "{{ question }}"}},
        )
        system = System(program, device="cpu", servers=Servers({"": server.url}))
        with torch.no_grad():
            for parameter in system.parameters("ada").values():
                parameter.add_(0.1)
        with pytest.raises(InputError, match=match):
            system.draw(draws(1))
        assert all("logprobs" in body for body in server.bodies())

    vllm.logits_mode = True
    refused(r"it says log p = .*--logprobs-mode processed_logprobs", vllm)
    vllm.logits_mode, vllm.max_rank = False, 8
    refused(r"greater than max_lora_rank 8.*--max-lora-rank as high", vllm)
    vllm.max_rank, vllm.runtime_lora = 16, False
    refused(r"takes no adapters while it runs: .*VLLM_ALLOW_RUNTIME_LORA_UPDATING", vllm)
    vllm.runtime_lora = True
    vllm.__class__ = Stale
    refused(r"does not draw from model 'ada' as it is trained", vllm)


def test_an_end_that_is_not_the_models_is_found(build: Build, vllm: Vllm) -> None:
    system = build(ada={"max_new_tokens": 12})
    system.draw(draws(1))
    vllm.ends_at = 2
    with pytest.raises(InputError, match=r"after 2 of 12 tokens, where neither the model nor"):
        system.draw([Draw("ada", f"other {i}", i) for i in range(8)])


def test_a_folder_that_it_does_not_see(build: Build, vllm: Vllm, tmp_path: Path) -> None:
    vllm._load = lambda name, folder: Vllm._load(vllm, name, tmp_path / "theirs")  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"it does not see .*--adapters DIR"):
        build(ada={}).draw(draws(1))


def test_a_wrong_address_is_not_waited_for_long(chat_folder: Path, told: Told) -> None:
    with serving(chat_folder) as gone:
        url = gone.url
    program = several_nodes_program(
        {"ada": {"id": str(chat_folder), "sampler": GPU}},
        {"a": {"model": "ada", "prompt": "{{ question }}"}},
    )
    system = System(program, device="cpu", servers=Servers({"gpu": url}))
    system.tell(told)
    with pytest.raises(RunError, match=r"server 'gpu' at 127.0.0.1:\d+ does not answer"):
        system.draw(draws(1))
    assert "asking again for 0.003 seconds" in told.lines[0]


def test_a_request_that_is_refused_stops_its_own_trace(build: Build, vllm: Vllm) -> None:
    system = build(ada={})
    answer = vllm.answer

    def strict(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if "n" in body and "logprobs" not in body and body["seed"] == 1:
            return 400, {"error": {"message": "max_model_len is 9"}}
        return answer(path, body)

    vllm.answer = strict  # type: ignore[method-assign]
    found = system.attempt(draws(3))
    assert [isinstance(one, Refused) for one in found] == [False, True, False]
    assert isinstance(found[1], Refused)
    assert "max_model_len is 9" in found[1].why
