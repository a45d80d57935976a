"""`sysgraph compile`, as a process."""

import os
import pty
import subprocess
import sys
import time
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


def test_errors_write_nothing(tmp_path: Path) -> None:
    target = tmp_path / "program.json"
    target.write_text("before", encoding="utf-8")
    done = sysgraph("compile", "SG404.yaml", "-o", str(target), cwd=GOLDEN)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (GOLDEN / "SG404.out").read_text(encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_problems_of_the_file_and_of_the_graph_come_together() -> None:
    done = sysgraph("compile", MOA, "--set", "fit.beta=-1", "--set", "models.ada.train=frozen")
    assert done.returncode == 2
    done = sysgraph("compile", MOA, "--set", "fit.beta=-1", "--set", "outputs=[anwser]")
    assert "SG105" in done.stderr
    assert "SG208" in done.stderr


def test_a_folder_that_is_not_there() -> None:
    done = sysgraph("compile", MOA, "-o", "/nowhere/program.txt")
    assert done.returncode == 2
    assert done.stderr == "error: cannot write /nowhere/program.txt: No such file or directory\n"


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


def test_torch_is_not_imported() -> None:
    code = (
        "import sys, sysgraph.cli, sysgraph\n"
        f"sysgraph.compile(sysgraph.load({str(ROOT / MOA)!r}))\n"
        "heavy = {'torch', 'transformers', 'peft', 'accelerate', 'datasets', 'numpy', 'rich'}\n"
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


def test_answers_in_well_under_a_second() -> None:
    """Processor time of the whole process, the best of three: wall time is the neighbours' too."""
    times = []
    for _ in range(3):
        before = os.times()
        assert sysgraph("compile", MOA).returncode == 0
        after = os.times()
        times.append(after.children_user + after.children_system)
        times[-1] -= before.children_user + before.children_system
        time.sleep(0.05)
    assert min(times) < 1.0
