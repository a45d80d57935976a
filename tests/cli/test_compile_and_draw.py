"""What `sysgraph compile` and `sysgraph draw` share: a whole file or none, and at once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .test_check import GOLDEN, ROOT, sysgraph

MOA = "graphs/moa.yaml"
OUTPUTS = {"compile": "program.json", "draw": "picture.html"}
HEAVY = {
    *("torch", "transformers", "peft", "accelerate", "datasets", "numpy", "rich"),
    *("resvg_py", "svg2pdf_py", "PIL"),
}
each_command = pytest.mark.parametrize("command", OUTPUTS)


@each_command
def test_errors_write_nothing(command: str, tmp_path: Path) -> None:
    target = tmp_path / OUTPUTS[command]
    target.write_text("before", encoding="utf-8")
    done = sysgraph(command, "SG404.yaml", "-o", str(target), cwd=GOLDEN)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (GOLDEN / "SG404.out").read_text(encoding="utf-8")
    assert target.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [target]


@each_command
def test_a_folder_that_is_not_there(command: str) -> None:
    target = f"/nowhere/{OUTPUTS[command]}"
    done = sysgraph(command, MOA, "-o", target)
    assert done.returncode == 2
    assert done.stderr == f"error: cannot write {target}: there is no folder /nowhere\n"


@each_command
def test_a_folder_in_the_way_is_kept(command: str, tmp_path: Path) -> None:
    target = tmp_path / OUTPUTS[command]
    target.mkdir()
    done = sysgraph(command, MOA, "-o", str(target))
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write")
    assert list(tmp_path.iterdir()) == [target]


@each_command
def test_nothing_heavy_is_imported(command: str, tmp_path: Path) -> None:
    """Neither by the command nor by the package's own `load` and `compile`."""
    arguments = ["sysgraph", command, str(ROOT / MOA), "-o", str(tmp_path / OUTPUTS[command])]
    code = (
        "import atexit, sys, sysgraph\n"
        "from sysgraph.cli import main\n"
        f"atexit.register(lambda: print(sorted({HEAVY} & set(sys.modules))))\n"
        f"sys.argv = {arguments}\n"
        "sysgraph.compile(sysgraph.load(sys.argv[2]))\n"
        "main()\n"
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


@each_command
def test_answers_in_well_under_a_second(command: str, tmp_path: Path) -> None:
    """Processor time of the whole process, the best of three: wall time is the neighbours' too."""
    target = str(tmp_path / OUTPUTS[command])
    times = []
    for _ in range(3):
        before = os.times()
        assert sysgraph(command, MOA, "-o", target).returncode == 0
        after = os.times()
        times.append(after.children_user + after.children_system)
        times[-1] -= before.children_user + before.children_system
        time.sleep(0.05)
    assert min(times) < 1.0
