"""The rooms of the packages stand in one order: each imports from those below it alone."""

import ast
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "sysgraph_schemas": ROOT / "schemas",
    "sysgraph_compiler": ROOT / "compiler",
    "sysgraph": ROOT,
}
ROOMS = (  # from the ground up, as data flows
    "support",
    "tools",
    "toys",
    "objectives",
    "traces",
    "engines",
    "toolkit",
    "system",
    "latent",
    "data",
    "measuring",
    "reports",
    "training",
    "forecasting",
    "exporting",
    "studies",
    "serving",
    "cli",
)


def modules() -> dict[str, Path]:
    found = {}
    for package, place in PACKAGES.items():
        for path in (place / package).rglob("*.py"):
            parts = path.relative_to(place).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module: str, *, lazy: bool) -> Iterator[str]:
    """The modules of ours that a module imports; `lazy`: those within functions too."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), lazy):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        if isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{source}.{alias.name}"
                if name in MODULES or source in MODULES:
                    yield name if name in MODULES else source


def _nodes(tree: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.FunctionDef) and not lazy:
            continue
        yield node
        yield from _nodes(node, lazy)


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "sysgraph" and len(parts) > 1 else None


def test_every_room_is_known() -> None:
    assert {room(module) for module in MODULES} == {*ROOMS, None, "__main__"}


@pytest.mark.parametrize(("low", "high"), [*combinations(ROOMS, 2)], ids="-".join)
def test_no_room_imports_from_above(low: str, high: str) -> None:
    wrong = [
        f"{module} imports {found}"
        for module in MODULES
        if room(module) == low
        for found in imports(module, lazy=True)
        if room(found) == high
    ]
    assert not wrong


def test_packages_stand_in_one_order() -> None:
    order = [*PACKAGES]
    wrong = [
        f"{module} imports {found}"
        for module in MODULES
        for found in imports(module, lazy=True)
        if order.index(found.split(".")[0]) > order.index(module.split(".")[0])
    ]
    assert not wrong


def test_no_module_imports_itself_by_a_circle() -> None:
    graph = networkx.DiGraph(
        (module, found)
        for module in MODULES
        for found in imports(module, lazy=False)
        if found != module and not module.startswith(f"{found}.")
    )
    circles = [sorted(c) for c in networkx.strongly_connected_components(graph) if len(c) > 1]
    assert not circles
