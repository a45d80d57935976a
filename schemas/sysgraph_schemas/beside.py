"""Folders of models that lie beside the graph file."""

import os
from collections.abc import Iterator
from pathlib import Path

from .graph import Graph
from .models import Model

_HERE = ("./", "../")


def beside(graph: Graph, folder: Path) -> Graph:
    """The graph with such folders by their absolute paths, so that they are found from anywhere.

    A folder is beside the file where its path starts with `./` or `../` and leads to one from
    there; all others stay as they are written.

    Args:
        folder: the file's.
    """
    if (folder / "program.json").is_file():
        return graph  # A run's: its graph was written elsewhere, and its `models` are no bases.
    found = {name: dict(_found(spec, folder)) for name, spec in graph.models.items()}
    if not any(found.values()):
        return graph
    models = {name: spec.model_copy(update=found[name]) for name, spec in graph.models.items()}
    placed = graph.model_copy(update={"models": models})
    placed._places = graph._places  # all else is where it was
    return placed


def _found(spec: Model, folder: Path) -> Iterator[tuple[str, str]]:
    for key in spec.folders:
        path = getattr(spec, key)
        if path is not None and path.startswith(_HERE) and (folder / path).is_dir():
            yield key, os.path.abspath(folder / path)
