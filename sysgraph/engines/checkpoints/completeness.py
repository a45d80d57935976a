"""Whether a module got all of its weights from its files, and they all had a place in it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn

_NAMED = 3


class Report(NamedTuple):
    """What the loaders of transformers and diffusers tell of the files and the module."""

    missing: tuple[str, ...]
    """Weights of the module that no file has."""
    unexpected: tuple[str, ...]
    """Weights in the files that the module has not."""
    misshapen: tuple[str, ...]
    """Weights of both whose shapes differ, with the shapes."""


def report_of(info: Mapping[str, Any]) -> Report:
    """The report in what `output_loading_info=True` gives."""
    shapes = (
        f"{name} ({_shape(file)} in its file, {_shape(config)} by its config)"
        for name, file, config in sorted(info["mismatched_keys"])
    )
    return Report(
        tuple(sorted(info["missing_keys"])), tuple(sorted(info["unexpected_keys"])), tuple(shapes)
    )


def flaw(module: nn.Module, report: Report) -> str | None:
    """Why the module is not what its files hold, or None."""
    if report.missing:
        return f"it lacks {listed(report.missing)}"
    if report.misshapen:
        return f"weights do not fit its config: {listed(report.misshapen)}"
    layers = _beyond(module, report.unexpected)
    if layers:
        return f"its config.json has fewer layers than its files: no place for {listed(layers)}"
    return None


def unused(module: nn.Module, report: Report) -> list[str]:
    """Weights that the files have for modules that exist, without such a weight.

    Not those of heads and towers that the module is without: they belong to other tasks.
    """
    there = _modules(module)
    return [name for name in report.unexpected if name.rpartition(".")[0] in there]


def listed(names: Sequence[str]) -> str:
    """A few names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _beyond(module: nn.Module, names: Iterable[str]) -> list[str]:
    """Layers of lists that the module has, by numbers that it has not."""
    there = _modules(module)
    found = set()
    for name in names:
        for match in re.finditer(r"\.(\d+)(?=\.)", name):
            several, one = name[: match.start()], name[: match.end()]
            if f"{several}.0" in there and one not in there:
                found.add(one)
    return sorted(found)


def _modules(module: nn.Module) -> set[str]:
    """Names of modules, also as files name them that were saved without a head."""
    names = {name for name, _ in module.named_modules() if name}
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    return names | {name.removeprefix(prefix) for name in names}


def _shape(shape: Any) -> str:
    return " x ".join(map(str, shape)) or "one number"
