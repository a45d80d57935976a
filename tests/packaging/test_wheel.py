"""The built wheel, installed in a fresh place that does not see this repository."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
SOURCES = {
    "sysgraph": REPO / "sysgraph",
    "sysgraph_compiler": REPO / "compiler" / "sysgraph_compiler",
    "sysgraph_schemas": REPO / "schemas" / "sysgraph_schemas",
}


def run(*command: object, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        pytest.fail(
            f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False
        )
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    # Without --wheel, `build` makes the wheel from the source archive: both are whole, or it fails.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPO, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and this environment's packages to depend on.

    A path named in a .pth file is searched for modules, but .pth files inside it are not read, so
    the editable install of the repository is out of sight.
    """
    home = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    install = ["install", "--quiet", "--quiet", "--no-deps", "--no-index", wheel]
    run(sys.executable, "-m", "pip", "--python", python, *install, cwd=home)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def test_wheel_adds_three_import_names(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top_level = {name.split("/")[0] for name in archive.namelist()}
    metadata = {name for name in top_level if name.endswith(".dist-info")}
    assert len(metadata) == 1
    assert top_level - metadata == set(SOURCES)


def test_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    written = {
        f"{name}/{path.relative_to(source).as_posix()}"
        for name, source in SOURCES.items()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == written
    assert packed >= {f"{name}/py.typed" for name in SOURCES}


def test_fresh_install_imports_its_own_copy(fresh: Path) -> None:
    where = (
        "import importlib, json\n"
        f"names = {sorted(SOURCES)}\n"
        "print(json.dumps([importlib.import_module(name).__file__ for name in names]))"
    )
    files = json.loads(run(fresh / "bin" / "python", "-c", where, cwd=fresh))
    assert all(Path(file).is_relative_to(fresh) for file in files), files


def test_fresh_install_compiles_a_graph(fresh: Path, tmp_path: Path) -> None:
    shutil.copy(REPO / "graphs" / "moa.yaml", tmp_path)
    compiled = run(fresh / "bin" / "sysgraph", "compile", "moa.yaml", cwd=tmp_path)
    assert "answer" in compiled
