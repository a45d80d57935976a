"""How bitsandbytes is imported, whoever does it: transformers imports peft, and peft that.

On CPUs that multiply bfloat16, bitsandbytes fetches compiled code from the Hub as it is imported
and runs it, where the package `kernels` is installed, and complains where it is not. No such code
is ever run here, and nothing of ours would use it. It also has torch compile what it does on CPUs
in plain Python: every command would start a second later for it.
"""

import logging
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_KERNELS = "kernels"


class Alone(MetaPathFinder):
    """Has a package imported as if `kernels` and `torch.compile` were not there.

    Args:
        name: of the package.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._is_asking = False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What others find, of the package itself."""
        if fullname != self._name or self._is_asking:
            return None
        self._is_asking = True
        try:
            spec = find_spec(fullname)
        finally:
            self._is_asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        import torch

        modules: dict[str, Any] = sys.modules
        anything: Any = torch
        logger = logging.getLogger(module.__name__)
        level, found, compile = logger.level, modules.get(_KERNELS), torch.compile
        logger.setLevel(logging.ERROR)
        modules[_KERNELS] = None  # then its import says that there is none
        anything.compile = _as_it_is
        try:
            self._loader.exec_module(module)
        finally:
            logger.setLevel(level)
            anything.compile = compile
            del modules[_KERNELS]
            if found is not None:
                modules[_KERNELS] = found


def _as_it_is(function: Any = None, **_: object) -> Any:
    """In place of `torch.compile`, as a decorator with and without settings."""
    return (lambda other: other) if function is None else function
