"""What is said about the package in several places is the same."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import sysgraph

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_versions() -> None:
    citation = read("CITATION.cff")
    assert citation["version"] == PROJECT["version"] == sysgraph.__version__
    assert citation["license"] == PROJECT["license"]
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= set(paper)
    assert paper["url"].rpartition("/")[2] in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_every_python_that_the_package_claims() -> None:
    claimed = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line]
    job = read(".github/workflows/ci.yml")["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == claimed
    assert any("make PYTHON=python test" in step.get("run", "") for step in job["steps"])


@pytest.mark.parametrize("hook", read(".pre-commit-config.yaml")["repos"][0]["hooks"])
def test_hooks_run_what_make_test_does(hook: dict[str, Any]) -> None:
    tool = re.search(r"-m (ruff format|ruff check|mypy --strict)", hook["entry"])
    assert tool, hook
    assert f"$(PY) -m {tool[1]}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_what_developers_install_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    for requirement in PROJECT["optional-dependencies"]["dev"]:
        name = re.split(r"[>=<]", requirement)[0].lower().replace("_", "-")
        assert f"\n{name}==" in pins, name
