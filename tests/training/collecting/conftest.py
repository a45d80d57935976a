"""A collection over the system of digits, in a folder of the test's choice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sysgraph
from sysgraph import collect

from .digits import GRAPH_OBJECT, QUIET, ROWS, SCORER


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    path = tmp_path / "inputs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def run(inputs: Path) -> Callable[..., sysgraph.training.pairing.Collection]:
    def call(folder: Path, **changes: Any) -> Any:
        given = {"scorer": SCORER, "reporter": QUIET, **changes}
        source = given.pop("inputs", inputs)
        graph = given.pop("graph", GRAPH_OBJECT)
        return collect(graph, source, output=folder, **given)

    return call
