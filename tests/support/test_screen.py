"""A display at the bottom of a terminal: lines stay above it, and nothing is left behind it."""

import logging
import re
import sys
from collections.abc import Iterator

import pytest
from rich.text import Text

from sysgraph.support.progress import Reporter
from tests.terminal import Terminal, written


class Counter:
    """A view of two lines."""

    done = 0
    sizes: tuple[tuple[int, int], ...] = ()

    def frame(self, width: int, height: int, *, last: bool) -> Text:
        self.sizes += ((width, height),)
        return Text(f"{'ended' if last else 'runs'}\ndone {self.done}")

    def note(self) -> str:
        return "quick"


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("LINES", "12")
    yield
    assert Reporter.screen is None, "it ends with what it shows"


def some_work(view: Counter, *, fails: bool = False) -> None:
    """A task of which lines are printed by everybody who may print some."""
    log = logging.getLogger("tests.screen")
    handler = logging.StreamHandler(sys.stderr)  # as libraries keep it from before
    log.addHandler(handler)
    reporter = Reporter()
    try:
        with reporter.watching(view), reporter.task("fit", 4) as task:
            for view.done in range(1, 4):
                task.advance(note=f"loss {view.done}")
            reporter.line("from the run")
            Reporter().line("from an engine")
            log.warning("from a library")
            print("from Python", file=sys.stderr)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
    finally:
        assert handler.stream is sys.stderr, "it is as it was"
        log.removeHandler(handler)


@pytest.mark.parametrize("fails", [False, True])
def test_lines_stay_above_and_the_last_frame_stays(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = Counter()
    terminal = Terminal(written(lambda: some_work(view, fails=fails), monkeypatch))
    lines = terminal.lines
    assert terminal.cursor
    assert lines[:4] == ["from the run", "from an engine", "from a library", "from Python"]
    end = ["ended", "done 3", *(["error: interrupted"] if fails else [])]
    assert lines[-len(end) :] == end
    assert sum("done" in line for line in lines) == 1
    assert {width for width, _ in view.sizes} == {50}
    assert max(height for _, height in view.sizes) < 12


def test_a_bar_of_what_is_under_way_stands_below(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        reporter = Reporter()
        with reporter.watching(Counter()), reporter.task("round [1]", 4) as task:
            task.advance()
            assert Reporter.screen is not None
            Reporter.screen.refresh()

    text = written(work, monkeypatch)
    frames = [Terminal(text[: end.start()]).lines for end in re.finditer("\r\x1b\\[2K", text)]
    (found,) = {tuple(f) for f in frames if "1/4" in f[-1]}
    assert found[0] == "runs"
    assert found[-1].startswith("round [1] ")


def test_no_colours_where_none_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = written(lambda: some_work(Counter()), monkeypatch)
    assert "\x1b[3" not in text.replace("\x1b[39m", "")


def test_a_dumb_terminal_gets_lines_with_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(lambda: some_work(Counter()), monkeypatch, kind="dumb")
    lines = text.replace("\r\n", "\n").splitlines()
    assert lines[0] == "fit: 1/4  loss 1  quick"
    assert lines[-1] == "fit: 3/4  loss 3  quick"
    assert "\x1b" not in text
