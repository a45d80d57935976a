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
    *("networkx", "pygments", "filelock", "resvg_py", "svg2pdf_py", "PIL"),
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


def test_a_command_loads_what_it_needs() -> None:
    """Nothing of the language for the version, no kind's reader that no value asks for."""
    code = (
        "import sys\n"
        "from sysgraph.cli import app\n"
        "app(['--version'], standalone_mode=False)\n"
        "print({'pydantic', 'jinja2', 'yaml', 'sysgraph_schemas.graph'} & set(sys.modules))\n"
        f"app(['check', {str(ROOT / MOA)!r}], standalone_mode=False)\n"
        "from sysgraph import Graph\n"
        "print([kind in repr(Graph.__pydantic_core_schema__) for kind in ('Fit', 'Diffusion')])\n"
        "print({'sysgraph.cli.fit', 'sysgraph_compiler.drawing'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    _, loaded, _, readers, others = done.stdout.splitlines()
    assert (loaded, readers, others) == ("set()", "[True, False]", "set()")


@each_command
def test_answers_in_well_under_a_second(command: str, tmp_path: Path) -> None:
    """All imports included; half a million calls take about a quarter of one."""
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
    assert min(counts) < 650_000
