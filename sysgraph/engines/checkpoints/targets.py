"""Which modules of a base get an adapter: `lora.target_modules` as names of modules that are there.

One meaning for every library, so that what is listed and is not there is told, not skipped.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from torch import nn
from transformers.pytorch_utils import Conv1D

from sysgraph_schemas.suggest import listed, suggestion

from ...support.errors import InputError

LINEAR = (nn.Linear, Conv1D)
"""What `all-linear` means: Conv1D is GPT-2's linear layer."""
LAYERS = (*LINEAR, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""What can have an adapter."""
ALL_LINEAR = "all-linear"

Modules = Mapping[str, nn.Module]
"""By name, as `named_modules` gives them."""


def targets(
    modules: Modules,
    wanted: str | Sequence[str],
    *,
    without: Mapping[str, str],
    head: str | None,
    fused: Collection[str] = (),
) -> list[str]:
    """The full names of the layers that get an adapter, in the base's order.

    Args:
        modules: of the base.
        wanted: `all-linear`, or one or more endings of module names.
        without: the names of layers that never get one, and why.
        head: the name of the output layer, which `all-linear` leaves out.
        fused: names that stand for experts which the base keeps in one tensor; they are kept as
            they are, after the layers.

    Raises:
        InputError: an ending matches no layer that can have an adapter, or nothing does.
    """
    if wanted == ALL_LINEAR:
        names = [n for n, m in modules.items() if isinstance(m, LINEAR) and n != head]
        found = {name for name in names if name not in without}
        if not found:
            why = f": {without[names[0]]}" if names else ""
            raise InputError(
                f"`lora.target_modules`: the base has no linear layer for an adapter{why}; use "
                "`train: full`"
            )
    else:
        endings = [wanted] if isinstance(wanted, str) else wanted
        layers = [ending for ending in endings if ending not in fused]
        found = {name for ending in layers for name in _ending_in(ending, modules, without)}
        odd = [name for name in found if name.rpartition(".")[2] in fused]
        if odd:
            raise InputError(
                f"`lora.target_modules`: peft takes every name that ends in {_last(odd[0])!r} for "
                f"the experts of this architecture, so that {odd[0]} can get no adapter alone"
            )
        if not endings:
            raise InputError("`lora.target_modules` is empty: it names the layers to adapt")
        return [*(n for n in modules if n in found), *(e for e in endings if e in fused)]
    return [name for name in modules if name in found]


def ends_in(name: str, ending: str) -> bool:
    """Whether the last parts of a module's name are `ending`."""
    return name == ending or name.endswith(f".{ending}")


def beside(modules: Modules, chosen: Iterable[str]) -> list[str]:
    """The other layers whose names end in one of the `chosen` names, as peft matches them."""
    names = frozenset(chosen)
    return [name for name in modules if name not in names and _suffixes(name) & names]


def _ending_in(ending: str, modules: Modules, without: Mapping[str, str]) -> list[str]:
    """The layers whose names end so."""
    named = {name: module for name, module in modules.items() if name and ends_in(name, ending)}
    layers = [name for name, module in named.items() if isinstance(module, LAYERS)]
    found = [name for name in layers if name not in without]
    if found:
        return found
    if layers:
        raise InputError(f"`lora.target_modules`: {ending!r}: {without[layers[0]]}")
    if named:
        name, module = next(iter(named.items()))
        within = [n.removeprefix(f"{name}.") for n in modules if n.startswith(f"{name}.")]
        inner = [n for n in within if isinstance(modules[f"{name}.{n}"], LAYERS)]
        raise InputError(
            f"`lora.target_modules`: {ending!r} is a {type(module).__name__}, which gets no "
            f"adapter itself: name the layers in it ({listed(inner) or 'it has none'})"
        )
    legal = {
        part: None
        for name, module in modules.items()
        if isinstance(module, LAYERS) and name not in without
        for part in [_last(name)]
    }
    near = suggestion(ending, [*legal, ALL_LINEAR], "its layers end in")
    raise InputError(f"`lora.target_modules`: no layer's name ends in {ending!r}; {near}")


def _last(name: str) -> str:
    """The shortest ending of a name that says something: `q_proj`, `to_out.0`."""
    head, _, tail = name.rpartition(".")
    return f"{_last(head)}.{tail}" if tail.isdecimal() and head else tail


def _suffixes(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[start:]) for start in range(1, len(parts))}
