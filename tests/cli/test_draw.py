"""`sysgraph draw`, as a process."""

from pathlib import Path

import pytest

import sysgraph as package
from sysgraph_compiler.drawing import FORMATS, render

from .test_check import ROOT, sysgraph

MOA = "graphs/moa.yaml"


BINARY = {".png": "resvg_py", ".pdf": "svg2pdf_py"}


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_ending_says_what_is_drawn(suffix: str, tmp_path: Path) -> None:
    if suffix in BINARY:
        pytest.importorskip(BINARY[suffix])
    target = tmp_path / f"moa{suffix}"
    done = sysgraph("draw", MOA, "-o", str(target))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    program = package.compile(package.load(ROOT / MOA))
    assert target.read_bytes() == render(program, suffix)
    assert list(tmp_path.iterdir()) == [target]


def test_mermaid_is_printed_without_a_file() -> None:
    done = sysgraph("draw", MOA, "--set", "name=other")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('---\ntitle: "other"\n---\nflowchart')


@pytest.mark.parametrize("name", ["moa.gif", "moa", "moa.svg.txt"])
def test_another_ending_is_refused_with_those_that_are_legal(name: str, tmp_path: Path) -> None:
    done = sysgraph("draw", MOA, "-o", str(tmp_path / name))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: cannot draw {tmp_path / name}: "
        "the endings are .svg, .html, .png, .pdf, .mmd, .dot\n"
    )
    assert list(tmp_path.iterdir()) == []
