"""What `sysgraph compile` and `sysgraph draw` share: a whole file or none, and at once."""

import os
import subprocess
import sys
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
    """All imports included; a million calls take about half of one."""
    arguments = ["sysgraph", command, str(ROOT / MOA), "-o", str(tmp_path / OUTPUTS[command])]
    code = (
        "import sys\n"
        "from tests.work import count_calls\n"
        f"sys.argv = {arguments}\n"
        "def run():\n"
        "    from sysgraph.cli import main\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as stop:\n"
        "        assert not stop.code\n"
        "print(count_calls(run))\n"
    )
    counts = []
    for _ in range(2):  # the first one may have modules to compile
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [ROOT, *sys.path]))},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        counts.append(int(done.stdout))
    assert min(counts) < 1_200_000
