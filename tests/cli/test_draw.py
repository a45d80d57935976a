"""`sysgraph draw`, as a process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import sysgraph as package
from sysgraph_compiler.drawing import FORMATS, drawn

from .test_check import GOLDEN, ROOT, sysgraph

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
    assert target.read_bytes() == drawn(program, suffix)
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


def test_errors_write_nothing(tmp_path: Path) -> None:
    target = tmp_path / "picture.svg"
    target.write_text("before", encoding="utf-8")
    done = sysgraph("draw", "SG404.yaml", "-o", str(target), cwd=GOLDEN)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (GOLDEN / "SG404.out").read_text(encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_not_there() -> None:
    done = sysgraph("draw", MOA, "-o", "/nowhere/moa.svg")
    assert done.returncode == 2
    assert done.stderr == "error: cannot write /nowhere/moa.svg: No such file or directory\n"


def test_a_folder_in_the_way_is_kept(tmp_path: Path) -> None:
    (tmp_path / "moa.svg").mkdir()
    done = sysgraph("draw", MOA, "-o", str(tmp_path / "moa.svg"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write")
    assert [path.name for path in tmp_path.iterdir()] == ["moa.svg"]


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, sysgraph.cli, sysgraph\n"
        "from sysgraph_compiler.drawing import drawn\n"
        f"drawn(sysgraph.compile(sysgraph.load({str(ROOT / MOA)!r})), '.html')\n"
        "heavy = {'torch', 'transformers', 'numpy', 'resvg_py', 'svg2pdf_py', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_answers_in_well_under_a_second(tmp_path: Path) -> None:
    """Processor time of the whole process, the best of three: wall time is the neighbours' too."""
    times = []
    for _ in range(3):
        before = os.times()
        assert sysgraph("draw", MOA, "-o", str(tmp_path / "moa.svg")).returncode == 0
        after = os.times()
        times.append(after.children_user + after.children_system)
        times[-1] -= before.children_user + before.children_system
        time.sleep(0.05)
    assert min(times) < 1.0
