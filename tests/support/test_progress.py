"""Progress: a log that stays readable, a bar on a terminal."""

import contextlib
from collections.abc import Callable

import pytest

from sysgraph.support.progress import Reporter
from tests.terminal import written


class Clock:
    """Time that passes when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("sysgraph.support.progress.monotonic", clock)
    return clock


def test_fast_steps_make_a_line_now_and_then(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter().task("fit", 100) as task:
        for step in range(1, 101):
            clock.now += 0.25
            task.advance(note=f"loss {step}" if step % 10 == 0 else None)
    assert capsys.readouterr().err.splitlines() == [
        "fit: 10/100  loss 10",
        "fit: 50/100  loss 50",
        "fit: 90/100  loss 90",
        "fit: 100/100  loss 100",
    ]


def test_slow_steps_make_a_line_each_with_the_last_note(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter().task("fit", 4, done=1) as task:
        for note in ("loss 1", None, None):
            clock.now += 60
            task.advance(note=note)
    assert capsys.readouterr().err.splitlines() == [
        "fit: 2/4  loss 1",
        "fit: 3/4  loss 1",
        "fit: 4/4  loss 1",
    ]


def test_what_is_over_at_once_makes_no_line(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reporter().task("reference", 512) as task:
        task.advance(512)
    assert capsys.readouterr().err == ""
    with Reporter().task("reference", 512) as task:
        clock.now += 11
        task.advance(256)
        task.advance(256)
    assert capsys.readouterr().err.splitlines() == ["reference: 256/512", "reference: 512/512"]


def test_a_stopped_task_says_how_far_it_came(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.suppress(KeyError), Reporter().task("fit", 4) as task:
        task.advance(note="loss 1")
        raise KeyError
    assert capsys.readouterr().err.splitlines() == ["fit: 1/4  loss 1"]


def test_a_long_line_stays_one_and_means_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = "draft[ada] [bold] " + "x" * 300
    Reporter().line(text)
    assert capsys.readouterr().err == text + "\n"


def test_nothing_is_shown_where_nothing_is_to_be(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    several = Reporter()
    several.only_if(False)
    for reporter in (Reporter(shown=False), several):
        with reporter.task("fit", 2) as task:
            clock.now += 60
            task.advance(note="loss")
        reporter.line("line")
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], str]:
    """What a terminal of a type gets to see while something runs."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    return lambda kind, run: written(run, monkeypatch, kind=kind)


def some_steps() -> None:
    with Reporter().task("draft[ada] 1/6", 10) as task:
        task.advance(4, note="loss 0.5 [x]")


def test_a_bar_on_a_terminal(show: Callable[[str, Callable[[], None]], str]) -> None:
    text = show("xterm", some_steps)
    assert "\x1b[" in text, "it draws"
    assert "━" in text
    assert text.rstrip().endswith("draft[ada] 1/6: 4/10  loss 0.5 [x]"), "what is left at the end"


def test_plain_lines_on_a_dumb_terminal(show: Callable[[str, Callable[[], None]], str]) -> None:
    assert show("dumb", some_steps) == "draft[ada] 1/6: 4/10  loss 0.5 [x]\r\n"
