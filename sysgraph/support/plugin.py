"""Python files that the person who runs a command names: their own tools and scorers."""

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from sysgraph_schemas.suggest import suggestion

from .errors import InputError


def load_file(name: str) -> ModuleType:
    """The module in a Python file. Its code runs: the file is one that the user typed.

    Raises:
        InputError: there is none, or it cannot be run.
    """
    path = Path(name).expanduser()
    if path.suffix != ".py" or not path.is_file():
        why = "there is no such file" if path.suffix == ".py" else "expected a Python file, `.py`"
        raise InputError(f"cannot load {name!r}: {why}")
    real = path.resolve()
    known = f"sysgraph_plugin_{abs(hash(str(real)))}"
    if known in sys.modules:
        return sys.modules[known]
    spec = importlib.util.spec_from_file_location(known, real)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[known] = module  # dataclasses and pickling look it up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # it may raise anything
        del sys.modules[known]
        raise InputError(
            f"cannot load {name!r}: {_line(error, real)}{type(error).__name__}: {error}"
        ) from error
    return module


def own(module: ModuleType) -> dict[str, Any]:
    """What a module itself defines and offers: `__all__`, else its public names.

    Where a class or a function was defined it says itself; anything else, as a `sysgraph.Scorer`,
    was made by the module that has it.
    """
    names = getattr(module, "__all__", None)
    if names is not None:
        return {name: getattr(module, name) for name in names if hasattr(module, name)}
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and not _from_elsewhere(value, module)
    }


def _from_elsewhere(value: Any, module: ModuleType) -> bool:
    defines = inspect.isclass(value) or inspect.isroutine(value)
    return defines and getattr(value, "__module__", module.__name__) != module.__name__


def named(text: str) -> Any:
    """What `FILE.py:NAME` names.

    Raises:
        InputError: the file cannot be loaded, or has no such name.
    """
    file, _, name = text.rpartition(":")
    offered = own(load_file(file))
    if name not in offered:
        near = suggestion(name, offered, "it has")
        raise InputError(f"{file} has no {name!r}; {near}")
    return offered[name]


def _line(error: Exception, path: Path) -> str:
    """Where in the file it went wrong."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: " if error.lineno else ""
    at, line = error.__traceback__, 0
    while at is not None:
        if at.tb_frame.f_code.co_filename == str(path):
            line = at.tb_lineno
        at = at.tb_next
    return f"line {line}: " if line else ""
