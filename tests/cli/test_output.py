"""What becomes of output that cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .test_check import ROOT

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
COMMANDS = [["check"], ["compile"], ["draw"]]


def run(*arguments: str, stdout: int) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sysgraph", *arguments],
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_has_seen_enough(command: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert run(*command, "graphs/moa.yaml", stdout=writer) == (1, "")
    os.close(writer)


@pytest.mark.parametrize(("closed", "said"), [(">&-", "SG001"), (">&- 2>&-", ""), ("2>&-", "")])
def test_output_that_was_closed_before(closed: str, said: str) -> None:
    """As if nobody read it: what the graph is still decides the exit code."""
    for file, code in (("graphs/moa.yaml", 0), ("graphs/nosuch.yaml", 2)):
        done = subprocess.run(
            ["sh", "-c", f'"$0" -m sysgraph compile {file} {closed}', sys.executable],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code
        assert (said if code else "") in done.stderr
        assert "Traceback" not in done.stderr
        assert "report this" not in done.stderr


@needs_full
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk(command: list[str]) -> None:
    said = "error: cannot read or write the output: No space left on device\n"
    with FULL.open("w") as full:
        assert run(*command, "graphs/moa.yaml", stdout=full.fileno()) == (1, said)


@needs_full
def test_a_device_as_file() -> None:
    """Is written to, never replaced; that it failed is no matter of the input."""
    code, said = run("compile", "graphs/moa.yaml", "-o", str(FULL), stdout=subprocess.DEVNULL)
    assert (code, said) == (1, "error: cannot write /dev/full: No space left on device\n")
    assert not FULL.is_file()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    code, said = run("compile", "graphs/moa.yaml", "-o", str(tmp_path / "link"), stdout=2)
    assert (code, said) == (0, "")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").is_file()
