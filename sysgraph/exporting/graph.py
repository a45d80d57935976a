"""The graph of an exported system: its models are trained no further."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sysgraph_schemas import Fit, Graph
from sysgraph_schemas.models import Model

from .bases import Place


def still(spec: Model, changes: Mapping[str, Any], place: Place | None, root: Path) -> Model:
    """A model as it stands in the exported graph.

    Args:
        changes: what `Exported.export` said of it, with paths under `root`.
        place: of its base.
        root: the export's folder.
    """
    said = spec.model_dump(exclude_defaults=True, by_alias=True)
    data = {key: value for key, value in said.items() if key not in spec.for_training}
    if spec.ways:
        data["train"] = "frozen"
    if place is not None:
        data |= {"id": place.id, "revision": place.revision}
    if "id" in changes:  # a checkpoint of its own
        data = {key: value for key, value in data.items() if key not in spec.for_base}
    data |= {key: _from(root, value) for key, value in changes.items()}
    return type(spec)(**data)


def exported(graph: Graph, models: Mapping[str, Model]) -> Graph:
    """The graph with such models, and nothing to fit."""
    return graph.model_copy(update={"models": dict(models), "fit": Fit()})


def _from(root: Path, value: Any) -> Any:
    return f"./{value.relative_to(root).as_posix()}" if isinstance(value, Path) else value
