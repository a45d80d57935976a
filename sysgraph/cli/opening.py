"""How every command opens its graph file: all errors at once, the warnings shown."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sysgraph_compiler import Opened, open_graph
from sysgraph_compiler.observation import EVERYTHING, Observation
from sysgraph_schemas import render

from .terminal import has_colors, show


def opened(
    graph: str,
    overrides: list[str] | None,
    observation: Observation = EVERYTHING,
    *,
    until: str | None = None,
    tools: Mapping[str, Any] | None = None,
) -> Opened:
    """The graph of a file, with its program; warnings go to standard error, once.

    Args:
        tools: those that the command's options give.

    Raises:
        GraphError: the file has errors.
    """
    found = open_graph(Path(graph), overrides or (), observation, until=until, tools=tools or {})
    # Of the processes that a launcher started, one speaks.
    if found.warnings and os.environ.get("RANK", "0") == "0":
        show(render(found.warnings, color=has_colors()), sys.stderr)
    return found
