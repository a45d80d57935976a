"""`sysgraph compile`, as a process."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import sysgraph as package
from sysgraph_compiler import Program

from .test_check import GOLDEN, ROOT, sysgraph

MOA = "graphs/moa.yaml"


def test_text_is_the_program() -> None:
    done = sysgraph("compile", MOA)
    program = package.compile(package.load(ROOT / MOA))
    assert (done.returncode, done.stdout, done.stderr) == (0, str(program), "")


def test_json_is_the_ir(tmp_path: Path) -> None:
    target = tmp_path / "program.json"
    done = sysgraph("compile", MOA, "--emit", "json", "-o", str(target), "--set", "fit.beta=2")
    assert (done.returncode, done.stdout) == (0, "")
    program = Program.from_json(target.read_text(encoding="utf-8"))
    assert program.fit.beta == 2
    assert [path.name for path in tmp_path.iterdir()] == ["program.json"]


def test_problems_of_the_file_and_of_the_graph_come_together() -> None:
    done = sysgraph("compile", MOA, "--set", "fit.beta=-1", "--set", "models.ada.train=frozen")
    assert done.returncode == 2
    done = sysgraph("compile", MOA, "--set", "fit.beta=-1", "--set", "outputs=[anwser]")
    assert "SG105" in done.stderr
    assert "SG208" in done.stderr


def test_warnings_go_to_stderr() -> None:
    done = sysgraph("compile", "SG303.yaml", cwd=GOLDEN)
    assert done.returncode == 0
    assert done.stdout.startswith("program example")
    assert "warning[SG303]" in done.stderr


@pytest.mark.parametrize(("variables", "colored"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colors_on_a_terminal_only(variables: dict[str, str], colored: bool) -> None:
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment |= {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "TERM": "xterm", **variables}
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "wb") as terminal:
        subprocess.run(
            [sys.executable, "-m", "sysgraph", "compile", "SG404.yaml"],
            cwd=GOLDEN,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            timeout=60,
            check=False,
        )
        assert (b"\x1b[1;31m" in os.read(ours, 65536)) == colored


def test_what_is_observed_decides_the_objective() -> None:
    done = sysgraph("compile", MOA, "--observed", "draft,answer")
    assert "SysDPO-Sampling: summed over revision[*]" in done.stdout
    alone = sysgraph("compile", MOA, "--method", "sampling").stdout
    assert alone == sysgraph("compile", MOA, "--observed", "answer").stdout
    done = sysgraph("compile", MOA, "--observed", "answer", "--method", "direct")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("--observed answer --method direct: error[SG802]")
    done = sysgraph("compile", MOA, "--observed", "drfat,answer", "--method", "direct")
    assert "did you mean `draft`?" in done.stderr
    assert "SG802" not in done.stderr


def test_latex() -> None:
    done = sysgraph("compile", MOA, "--emit", "latex")
    assert done.returncode == 0
    assert "\\begin{align*}" in done.stdout


def test_a_pass_by_name() -> None:
    after = sysgraph("compile", MOA, "--debug-pass", "expand", "--emit", "json")
    program = Program.from_json(after.stdout)
    assert program.variables
    assert not program.terms
    done = sysgraph("compile", MOA, "--debug-pass", "exapnd")
    assert done.returncode == 2
    assert "did you mean `expand`? the passes are: observe, expand" in done.stderr
