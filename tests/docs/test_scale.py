"""docs/scale.md: its graphs take what its commands set, its options are there, and one is run."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from accelerate.commands.launch import launch_command_parser
from torch.distributed.run import get_args_parser
from typer.testing import CliRunner

import sysgraph
from sysgraph.cli import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [
    part.partition("\n")[0]
    for block in BLOCKS
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]
]
LAUNCHERS = {"torchrun": get_args_parser, "accelerate launch": launch_command_parser}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_can_be_given(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    launched, _, words = command.rpartition("sysgraph fit ")
    for name, parser in LAUNCHERS.items():
        if launched.startswith(name):
            found = parser().parse_args(shlex.split(f"{launched.removeprefix(name)} sysgraph"))
            assert found.training_script == "sysgraph"
            assert found.module
            break
    else:
        assert not launched
    fit = typer.main.get_command(app).get_command(None, "fit")  # type: ignore[attr-defined]
    options = fit.make_context("fit", shlex.split(words)).params
    sysgraph.compile(sysgraph.load(options["graph"], options["settings"] or ()))


def test_a_dry_run_says_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the first line, which has the machine's memory."""
    monkeypatch.chdir(ROOT)
    (block,) = [one for one in BLOCKS if "--dry-run" in one]
    command, _, *shown = block.splitlines()
    said = CliRunner().invoke(app, shlex.split(command.removeprefix("$ sysgraph ")))
    lines = [line for line in shown if line != "  ..."]
    assert len([line for line in lines if line]) == 5
    assert [line for line in lines if line not in said.output.splitlines()] == []
