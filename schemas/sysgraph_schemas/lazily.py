"""What is imported when it is first asked for: the names that a package offers, and commands."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType

from .collector import no_collection


def lazily(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """A package's `__getattr__` (PEP 562), of names by the module that each is in: `.data`.

    No module of the package is called as a name is: its import would put it in the name's place.
    Type checkers read the imports that stand under `TYPE_CHECKING` beside it.
    """

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(imported(modules[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return get


@no_collection()
def imported(module: str, package: str) -> ModuleType:
    """A module, `.one` of a package."""
    return import_module(module, package)
