"""How commands end: what was not foreseen is a line and a file, never a traceback."""

import errno
import re
from pathlib import Path

import pytest

from sysgraph import RunError

from .test_run import here


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("sysgraph.cli.check.diagnose", read)


def test_a_mistake_of_sysgraph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(KeyError("deep\x1b[31m inside" + "!" * 9000), monkeypatch)
    done = here(["check", "g.yaml"], monkeypatch, capsys)
    assert done.code == 1
    assert done.err.startswith("error: sysgraph failed where it should not: KeyError: 'deep\\x1b")
    assert "Traceback" not in done.err
    assert len(done.err) < 1000
    found = re.search(r"with the traceback in (\S+)", done.err)
    assert found
    text = Path(found[1]).read_text()
    Path(found[1]).unlink()
    assert text.startswith("Traceback (most recent call last)")
    assert "in read" in text


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (RunError("it \x9b stopped"), 1, "error: it \\u009b stopped\n"),
        (MemoryError(), 1, "error: out of memory: smaller batches"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), 2, "error: File name too"),
    ],
)
def test_exit_codes(
    error: Exception,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    raising(error, monkeypatch)
    done = here(["check", "g.yaml"], monkeypatch, capsys)
    assert done.code == code
    assert done.err.startswith(said)
