"""A finished run, written as a folder of its own."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysgraph_compiler.drawing import render
from sysgraph_schemas import Graph, dump, load
from sysgraph_schemas.models import Model

from ..reports.facts import read_facts
from ..support.errors import InputError
from ..support.files import component
from ..system import System
from ..system.identity import trained_in
from ..tools import bind
from ..training.folder import RunFolder
from .bases import Place, place_of, plain_name, require_portable
from .card import Card
from .graph import exported, still
from .naming import Names
from .part import Part
from .serving import serve_commands
from .staging import require_new, staged
from .tool_files import copy_all, tool_files

_OWN = ("graph.yaml", "graph.svg", "README.md")
_ADAPTERS = "adapters"


@dataclass(frozen=True)
class Export:
    """An exported system.

    Attributes:
        folder: where it is.
        parts: its trained models.
        serving: the command lines that serve them, from that folder.
    """

    folder: Path
    parts: tuple[Part, ...]
    serving: tuple[str, ...]


def export(
    run: Path | str,
    output: Path | str,
    *,
    merge: bool = False,
    copy_base: bool = False,
    portable: bool = False,
    tools: Mapping[str, Any] | None = None,
) -> Export:
    """Writes a run's system into a new folder, in files that other libraries load.

    `sysgraph run OUTPUT/graph.yaml` answers as the run's system does.

    Args:
        merge: adapters are merged, each into a copy of its base, in place of lying beside it.
        copy_base: bases in folders of this machine are copied; else the export names them. Toys
            are always copied, and what is on the Hub stays there.
        portable: refuse an export that other machines could not use.
        tools: by name, before those that packages register.

    Raises:
        InputError: the run is none, or has not ended, or trained nothing; something is in the
            folder already; or a model cannot be exported. Nothing is left there.
        RunError: it cannot be written.
    """
    source, folder = RunFolder(Path(run)), Path(output)
    facts = read_facts(source.root)
    _require_finished(source, facts.finished)
    require_new(folder)
    program, graph = facts.program, load(source.graph)
    bind(program, tools)
    files = tool_files(program)
    names = Names((*_OWN, *(Path(name).parts[0] for name in files)))
    trained = set(trained_in(json.loads(program.to_json())))
    places = _places(graph, names, copied=copy_base)
    system = System(program, model_dir=source.root)
    with staged(folder) as root:
        copy_all(files, root)
        models = dict(_models(system, graph, trained, places, names, root, merge=merge))
        needed = _needed(models, places)
        if portable:
            require_portable(needed)
        for place in needed:
            place.copy(root)
        new = exported(graph, models)
        parts = tuple(_parts(new, trained, places, root))
        serving = serve_commands(new, parts, root)
        (root / "graph.yaml").write_text(dump(new), encoding="utf-8")
        (root / "graph.svg").write_bytes(render(program, ".svg"))
        for card in (Card.of_part(facts, one) for one in parts if one.folder is not None):
            card.write(root)
        Card.of_system(facts, new, parts, serving).write(root)
    return Export(folder, parts, serving)


def _require_finished(folder: RunFolder, finished: bool) -> None:
    if not finished:
        raise InputError(
            f"{folder.root} has not ended, so its models are not what it is after: go on with "
            f"{folder.resume_command()}"
        )


def _places(graph: Graph, names: Names, *, copied: bool) -> dict[str, Place]:
    """Where the base of each model is; models on one checkpoint have one place."""
    by_base: dict[tuple[str, str], Place] = {}
    out: dict[str, Place] = {}
    for name, spec in graph.models.items():
        base = spec.base
        if base is None:
            continue
        key = base.id, base.revision or "main"
        if key not in by_base:
            by_base[key] = place_of(base, names.new(plain_name(base)), copied=copied)
        out[name] = by_base[key]
    return out


def _models(
    system: System,
    graph: Graph,
    trained: set[str],
    places: Mapping[str, Place],
    names: Names,
    root: Path,
    *,
    merge: bool,
) -> Iterator[tuple[str, Model]]:
    """Writes the models' own files, and how each stands in the graph from then on."""
    beside: dict[str, Names] = {}
    for name, spec in graph.models.items():
        place = places.get(name)
        changes: Mapping[str, Any] = {}
        if name in trained or spec.adapted is not None:
            of_base = place.name if place is not None else component(name)
            adapter = root / of_base / _ADAPTERS / beside.setdefault(of_base, Names(())).new(name)
            changes = (
                system.export(name, adapter, root / names.new(name), merge=merge)
                if name in trained
                else _copied(Path(str(spec.adapted)), adapter)
            )
            (adapter.parent / "README.md").unlink(missing_ok=True)  # peft's, about no model
        if place is not None and isinstance(changes.get("adapter"), Path):
            _name_base(changes["adapter"], place)
        yield name, still(spec, changes, place, root)


def _copied(adapter: Path, target: Path) -> dict[str, Path]:
    target.mkdir(parents=True)
    for file in adapter.expanduser().iterdir():
        if file.suffix in (".safetensors", ".json"):
            (target / file.name).write_bytes(file.read_bytes())
    return {"adapter": target}


def _name_base(adapter: Path, place: Place) -> None:
    """Has peft's file say what the adapter is on, as it is called in the export's folder."""
    file = adapter / "adapter_config.json"
    if file.is_file():
        said = json.loads(file.read_text(encoding="utf-8"))
        said |= {"base_model_name_or_path": place.id, "revision": place.revision}
        if isinstance(said.get("target_modules"), list):
            said["target_modules"].sort()  # peft has them in any order
        file.write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _needed(models: Mapping[str, Model], places: Mapping[str, Place]) -> list[Place]:
    """The bases that a model is still on."""
    found = [
        places[name]
        for name, spec in models.items()
        if spec.base is not None and spec.base.id == places[name].id
    ]
    return list(dict.fromkeys(found))


def _parts(
    graph: Graph, trained: set[str], places: Mapping[str, Place], root: Path
) -> Iterator[Part]:
    for name, spec in graph.models.items():
        if name in trained:
            yield Part.of(name, spec, places.get(name), root)
