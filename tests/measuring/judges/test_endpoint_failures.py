"""A server that fails: when the endpoint judge asks again, gives up, or goes on without."""

import threading
import time
from collections.abc import Callable

import pytest

from sysgraph import RunError
from sysgraph.measuring.judges.endpoint import Endpoint

from .asking import ask, some, truth
from .server import KEY, Answer, Asked, better, serving

SOON = {"retry-after-ms": "1"}  # so that waits between retries take no time here


def failing(times: int, answer: Answer) -> Callable[[Asked], Answer | str]:
    """Answers each request rightly only after `times` wrong answers."""
    seen: dict[str, int] = {}

    def respond(asked: Asked) -> Answer | str:
        seen[asked.question] = seen.get(asked.question, 0) + 1
        return answer if seen[asked.question] <= times else better(asked)

    return respond


# ---- no reply


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_asks_again_until_it_works(status: int, at: Callable[..., Endpoint]) -> None:
    with serving(failing(3, Answer("wait", status, SOON))) as server:
        assert ask(at(server), some(4)) == truth(some(4))
    assert len(server.asked) == 16


def test_waits_as_long_as_the_server_says(at: Callable[..., Endpoint]) -> None:
    times: list[float] = []

    def respond(asked: Asked) -> Answer | str:
        times.append(time.monotonic())
        return Answer("wait", 429, {"Retry-After": "1"}) if len(times) == 1 else "A"

    with serving(respond) as server:
        assert ask(at(server), some(1)) == ["a"]
    assert times[1] - times[0] >= 1  # by itself it would come back after half a second at most


def test_gives_up_and_goes_on_later(at: Callable[..., Endpoint]) -> None:
    up = threading.Event()

    def respond(asked: Asked) -> Answer | str:
        good = up.is_set() or int(asked.question[1:]) < 6
        return better(asked) if good else Answer(f"down; {KEY}", 500, SOON)

    comparisons = some(10)
    with serving(respond) as server:
        judge = at(server, retries=2, workers=2)
        with pytest.raises(RunError) as caught:
            ask(judge, comparisons)
        told = str(caught.value)
        assert told.startswith(f"judge openai:org/judge:1 at {server.url[7:-3]}: ")
        assert "down" in told
        assert "6 of 10 verdicts are in " in told
        assert KEY not in told
        assert caught.value.__suppress_context__
        assert 6 + 3 <= len(server.asked) <= 6 + 3 + 3  # one, or the other thread's too
        up.set()
        server.asked.clear()
        assert ask(at(server), comparisons) == truth(comparisons)
        assert len(server.asked) == 4


def test_a_wrong_key_is_told_at_once(at: Callable[..., Endpoint]) -> None:
    wrong = Answer(f"Incorrect API key provided: {KEY}", 401)
    with (
        serving(lambda asked: wrong) as server,
        pytest.raises(RunError, match=r"Incorrect API key provided: \[key\]"),
    ):
        ask(at(server, workers=1), some(9))
    assert len(server.asked) == 1


def test_nobody_there(at: Callable[..., Endpoint]) -> None:
    with serving(better) as server:
        pass
    with pytest.raises(RunError, match=r"Connection error\..*refused"):
        ask(at(server, retries=0), some(2))


def test_too_slow_counts_as_lost(at: Callable[..., Endpoint]) -> None:
    free = threading.Event()

    def respond(asked: Asked) -> str:
        free.wait(30)
        return "A"

    with serving(respond) as server:
        with pytest.raises(RunError, match="timed out"):
            ask(at(server, retries=0, timeout=0.05), some(1))
        free.set()


# ---- replies without a verdict


GARBAGE = [
    Answer("I cannot decide."),
    Answer(""),
    Answer(body="<html>busy</html>"),
    Answer(body='{"choices": [{"message"'),
    Answer(body='{"choices": []}'),
    Answer(body='{"choices": [{"message": {"content": null}}]}'),
    Answer(body='{"choices": [{"message": {"content": [1]}}]}'),
    Answer(body='["a"]'),
    Answer(body="null"),
    Answer(body="hello", headers={"Content-Type": "text/plain"}),
]


@pytest.mark.parametrize("answer", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_asked_about_once_more(answer: Answer, at: Callable[..., Endpoint]) -> None:
    with serving(failing(1, answer)) as server:
        assert ask(at(server), some(2)) == truth(some(2))
    assert len(server.asked) == 4


@pytest.mark.parametrize("answer", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_alone_is_no_judge(answer: Answer, at: Callable[..., Endpoint]) -> None:
    sample = answer.text if answer.body is None else answer.body
    with serving(lambda asked: answer) as server:
        for count in (4, 8):
            with pytest.raises(RunError) as caught:
                ask(at(server), some(2))
            assert len(server.asked) == count, "no verdict is nothing to keep"
    told = str(caught.value)
    assert "none of 2 replies was a verdict, asked twice; the first: " in told
    assert (sample or "") in told
    assert "0 of 2 verdicts are in " in told


def test_a_hopeless_judge_is_not_asked_for_all(at: Callable[..., Endpoint]) -> None:
    with (
        serving(lambda asked: "Neither.") as server,
        pytest.raises(RunError, match=r"none of 5\d replies was a verdict.*\n0 of 300 verdicts"),
    ):
        at(server, workers=4).compare(some(300), advance=lambda count: None)
    assert len(server.asked) < 2 * (50 + 2 * 4)


def test_garbage_among_verdicts_is_told(
    at: Callable[..., Endpoint], capsys: pytest.CaptureFixture[str]
) -> None:
    """Once, with a sample that cannot steer the terminal, show the key or fill the screen."""
    text = f"\x1b]0;me\x07 \u202e {KEY} \ud800" + "x" * 10_000

    def respond(asked: Asked) -> Answer | str:
        return Answer(text) if asked.question in ("q2", "q3") else better(asked)

    expected = truth(some(9))
    expected[2] = expected[3] = None
    with serving(respond) as server:
        assert ask(at(server), some(9)) == expected
        (line,) = capsys.readouterr().err.splitlines()
        assert ask(at(server), some(4)) == expected[:4], "verdicts of an earlier run are some, too"
    assert line.startswith("warning: judge openai:org/judge:1: 2 of 9 replies were no verdict, ")
    assert r"'\u001b]0;me\u0007 \u202e [key] \ud800xxx" in line
    assert line.isprintable()
    assert len(line) < 500


def test_the_second_question_shows_the_first_reply(at: Callable[..., Endpoint]) -> None:
    with serving(failing(1, Answer("Both have merits."))) as server:
        ask(at(server), some(1))
    roles = [(turn["role"], turn["content"]) for turn in server.asked[1].body["messages"]]
    assert roles[1] == ("assistant", "Both have merits.")
    assert [role for role, _ in roles] == ["user", "assistant", "user"]
    assert "one letter" in roles[2][1]


# ---- refused requests


def test_a_model_with_a_temperature_of_its_own(at: Callable[..., Endpoint]) -> None:
    def respond(asked: Asked) -> Answer | str:
        if "temperature" in asked.body:
            return Answer("Unsupported value: 'temperature' does not support 0", 400)
        return better(asked)

    with serving(respond) as server:
        assert ask(at(server, workers=4), some(40)) == truth(some(40))
    assert 40 < len(server.asked) <= 44


def test_what_is_refused_has_no_verdict(
    at: Callable[..., Endpoint], capsys: pytest.CaptureFixture[str]
) -> None:
    def respond(asked: Asked) -> Answer | str:
        return Answer("too long", 400) if asked.question == "q2" else better(asked)

    expected = truth(some(4))
    expected[2] = None
    with serving(respond) as server:
        assert ask(at(server), some(4)) == expected
    told = capsys.readouterr().err
    assert "refused 1 of 4 requests" in told
    assert "too long" in told


def test_when_all_is_refused_it_says_why(at: Callable[..., Endpoint]) -> None:
    with (
        serving(lambda asked: Answer("unknown field", 400)) as server,
        pytest.raises(RunError, match="unknown field"),
    ):
        ask(at(server), some(4))
