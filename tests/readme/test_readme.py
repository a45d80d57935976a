"""What the README shows is what happens: its graphs, commands and code are run as they stand."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sysgraph
from sysgraph import toys

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BROKEN = """sysgraph: 1
name: broken
models:
  ada: {kind: causal_lm, id: toy:specialist-color}

nodes:
  question: {kind: input}
  draft: {kind: lm, model: adda, prompt: "{{ question }}"}
  answer: {kind: lm, model: ada, prompt: "{{ question }} | {{ draft }}"}
edges: [question -> draft, question -> answer]
outputs: [answer]
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with what the README's commands name."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "graphs", folder / "graphs")
    (folder / "broken.yaml").write_text(BROKEN)
    questions = toys.inputs("toy:specialists/test")[:8]
    (folder / "questions.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions))
    return folder


def sysgraph_process(arguments: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sysgraph", *arguments]
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)


def test_commands_print_what_is_shown(place: Path) -> None:
    """In order: later commands use what earlier ones wrote."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            program, *arguments = shlex.split(line)
            assert program == "sysgraph"
            done = sysgraph_process(arguments, place)
            expected = 2 if "broken" in line else 0
            assert done.returncode == expected, (line, done.stderr)
            assert shown.strip() in done.stdout + done.stderr, (line, done.stdout, done.stderr)
    assert (place / "trained" / "models" / "psi1" / "adapter_config.json").is_file()


@pytest.mark.parametrize("code", blocks("python"))
def test_code_runs(code: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert isinstance(names["graph"], sysgraph.Graph)


def test_the_first_graph_is_the_file_as_it_stands() -> None:
    (shown,) = blocks("yaml")
    assert shown in (ROOT / "graphs" / "moa.yaml").read_text(encoding="utf-8")


def test_make_fit_runs_the_first_graph() -> None:
    done = subprocess.run(["make", "--dry-run", "fit"], cwd=ROOT, capture_output=True, text=True)
    assert "sysgraph fit graphs/moa.yaml" in done.stdout


def test_the_preference_row_shown_is_read(tmp_path: Path) -> None:
    (row,) = blocks("json")
    (tmp_path / "pairs.jsonl").write_text(row)
    program = sysgraph.compile(sysgraph.load(ROOT / "graphs" / "two_stage.yaml"))
    (pair,) = sysgraph.load_pairs(program, tmp_path / "pairs.jsonl")
    assert set(pair.chosen.values) == {"draft", "answer"}
