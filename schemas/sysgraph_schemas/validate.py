"""Plain data to a `Graph`; what pydantic complains about becomes diagnostics with places.

When something is wrong, the rest of the file is still made into a graph, so that the compiler's
checks can speak about it in the same go. What had to go is remembered in `Places.broken`.
"""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .diagnostics import Diagnostic, GraphError, Path, in_order
from .graph import Graph
from .limits import MAX_REPORTED
from .located import Located, Nowhere, Places
from .problems import (
    bad_name,
    bad_value,
    clashing_keys,
    file_version,
    graph_name,
    missing_key,
    table_probs,
    unknown_key,
    unknown_kind,
    wrong_type,
)
from .problems.fault import Fault
from .shape import Shape, resolve
from .spec import Spec

Handler = Callable[[Fault], Diagnostic]

_HANDLERS: Mapping[str, Handler] = {
    "extra_forbidden": unknown_key.diagnose,
    "missing": missing_key.diagnose,
    "union_tag_not_found": unknown_kind.diagnose,
    "union_tag_invalid": unknown_kind.diagnose,
    "model_attributes_type": unknown_kind.diagnose,
    "literal_error": bad_value.not_listed,
    "SG102": clashing_keys.missing_one_of,
    "SG104": unknown_kind.broken_package,
    "SG107": clashing_keys.diagnose,
    "SG108": table_probs.diagnose,
    "SG110": graph_name.diagnose,
}


def validate(root: Located) -> tuple[Graph | None, list[Diagnostic]]:
    """The graph, as far as there is one, and everything that is wrong with its shape."""
    if not isinstance(root.value, dict):
        return None, [wrong_type.not_a_mapping(root)]
    try:
        graph = Graph.model_validate(root.value)
    except ValidationError as error:
        found = error.errors(include_url=False)
    else:
        graph._places = Places(root)
        return graph, []
    faults = [_fault(details, Places(root)) for details in found[:MAX_REPORTED]]
    diagnostics = [_handler(fault)(fault) for fault in _independent(faults)]
    return _salvage(root, map(_damage, found)), diagnostics


def faults_of(
    section: type[Spec], error: ValidationError, places: Places, path: Path
) -> list[Diagnostic]:
    """What is wrong with a part of a file that is read by itself; `path` is where that stands."""
    found = error.errors(include_url=False)[:MAX_REPORTED]
    faults = [_fault(details, places, section) for details in found]
    shown = [_handler(fault)(fault) for fault in _independent(faults)]
    return [replace(d, path=(*path, *d.path)) for d in shown]


def in_python(section: type[Spec], error: ValidationError) -> GraphError:
    """What is wrong with a section that Python code wrote, by its path there."""
    places = Nowhere()
    found = error.errors(include_url=False)[:MAX_REPORTED]
    faults = [_fault(details, places, section) for details in found]
    shown = [_handler(fault)(fault) for fault in _independent(faults)]
    if not issubclass(section, Graph):
        shown = [replace(d, path=(section.__name__, *d.path)) for d in shown]
    return GraphError(in_order(shown))


def _handler(fault: Fault) -> Handler:
    if fault.shape.path == ("sysgraph",):
        return file_version.diagnose
    if fault.shape.is_key and fault.type != "literal_error":
        return bad_name.diagnose
    if fault.type == "model_attributes_type" and len(fault.path) != 2:
        return wrong_type.diagnose
    default = wrong_type.diagnose if fault.type.endswith("_type") else bad_value.diagnose
    return _HANDLERS.get(fault.type, default)


def _fault(details: ErrorDetails, places: Places, section: type[Spec] = Graph) -> Fault:
    context: dict[str, Any] = details.get("ctx", {})
    shape = resolve(details["loc"], section)
    if at := context.get("at", ()):
        shape = Shape((*shape.path, *at), Any, shape.owner)
    node = places.find(shape.path)
    value = details["input"] if isinstance(places, Nowhere) else node.value if node else None
    return Fault(details["type"], context, shape, value, places)


def _independent(faults: list[Fault]) -> list[Fault]:
    """Without what only follows: the other members of a union, a key missing because of a typo."""
    typos = {
        (*fault.path[:-1], unknown_key.meant(fault))
        for fault in faults
        if fault.type == "extra_forbidden"
    }
    deepest: dict[tuple[Path, bool], Fault] = {}
    for fault in faults:
        if fault.type == "missing" and fault.path in typos:
            continue
        deepest.setdefault((fault.path, fault.shape.is_key), fault)
    paths = {path for path, _ in deepest}
    inside = {path[:length] for path in paths for length in range(1, len(path))}
    return [
        fault
        for fault in deepest.values()
        if not (fault.path in inside and fault.type.endswith("_type"))
    ]


_PLACEHOLDERS: Mapping[str, object] = {
    "name": "graph",
    "models": {},
    "nodes": {},
    "edges": [],
    "outputs": [""],
}


def _damage(details: ErrorDetails) -> Path:
    """What must be left out of the graph for a fault: a whole model or node, a key of `fit`, ..."""
    path = (*details["loc"], *details.get("ctx", {}).get("at", ()))  # two steps: above any union
    return path[:2] if path[0] in _SECTIONS else path[:1]


_SECTIONS = frozenset({"models", "nodes", "parsers", "loops", "edges", "outputs", "fit"})


def _salvage(root: Located, damages: Iterable[Path]) -> Graph | None:
    assert isinstance(root.value, dict)
    broken = set(damages)
    for _ in range(3):  # leaving out a part can uncover another fault, never a new part
        data = _without(root.value, broken)
        try:
            graph = Graph.model_validate(data)
        except ValidationError as error:
            broken |= set(map(_damage, error.errors(include_url=False)))
        else:
            graph._places = Places(root, frozenset(broken))
            return graph
    return None


def _without(data: Mapping[str, Any], broken: Iterable[Path]) -> dict[str, Any]:
    kept = {name: copy(section) for name, section in data.items()}
    for name, *inside in broken:
        section = kept.get(str(name))
        if inside and isinstance(section, dict):
            section.pop(inside[0], None)
        elif inside and isinstance(section, list) and isinstance(inside[0], int):
            section[inside[0]] = ""  # the positions of the others stay
        elif name in _PLACEHOLDERS:
            kept[str(name)] = copy(_PLACEHOLDERS[str(name)])
        else:
            kept.pop(str(name), None)
    return kept
