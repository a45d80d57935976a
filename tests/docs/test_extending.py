"""The recipes of docs/extending.md, followed to the letter in a copy of the sources."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
RECIPES = {  # what a recipe's last command prints
    "A check": "\n1 warning\n",
    "A parser": " passed",
    "A tool": "length: 2\nanswer (output): two words\n",
    "A scorer": "brief -5.000",
    "A loss": " passed",
}
BLOCK = re.compile(r"((?:.|\n)*?)^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("sysgraph", "compiler", "schemas", "tests", "docs", "pyproject.toml"):
        source, target = ROOT / name, tmp_path / name
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copy(source, target)
    return tmp_path


@pytest.mark.parametrize("title", RECIPES)
def test_recipe(title: str, place: Path) -> None:
    said = ""
    file = place
    for before, language, text in BLOCK.findall(section(title)):
        named = re.findall(r"`([\w/.]+/[\w.]+\.\w+)`", before)
        file = place / named[-1] if named else file
        if language == "sh":
            for line in text.splitlines():
                said = run(line, place)
        elif language == "diff":
            change(file, text)
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
    assert RECIPES[title] in said


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def change(file: Path, diff: str) -> None:
    """Replaces the lines that a diff without line numbers starts from."""
    lines = [(line[:1], line[1:]) for line in diff.splitlines()]
    old = "".join(f"{text}\n" for mark, text in lines if mark != "+")
    new = "".join(f"{text}\n" for mark, text in lines if mark != "-")
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new), encoding="utf-8")


def run(line: str, place: Path) -> str:
    """A command, on the copied sources; what it printed."""
    words = shlex.split(line)
    path = [place, place / "compiler", place / "schemas", *place.glob("*/installed")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    if words[0] == "pip":
        install(place / words[-1])
        return ""
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    module = {"pytest": ["-m", "pytest", "-q", "-n", "0"], "sysgraph": ["-m", "sysgraph"]}
    command = [sys.executable, *module.get(words[0], []), *words[1:]]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def install(package: Path) -> None:
    """As pip does it, offline: the module, and what it registers."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    target = package / "installed"
    info = target / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    shutil.copy(package / f"{project['name']}.py", target)
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
