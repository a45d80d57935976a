"""What of a checkpoint a text reaches: the rest gets no adapter, since nothing would train it.

Such are the towers for images and sound, heads for other tasks, and layers whose keys and values
another one gives. Found by running it, since no name or setting tells them in every architecture.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .targets import LAYERS, Modules


def unreached(base: Any, modules: Modules) -> set[str]:
    """The names of layers from which no gradient comes back to a text's logits.

    Experts stay, whether or not the tokens are sent to them: of the modules in one list, a layer
    counts as reached when another is.

    Args:
        base: a model of transformers with `logits`, frozen.
        modules: of the base, by name.
    """
    reached = _reached(base, modules)
    if reached is None:
        return set()
    alive = {"", *(above for name in reached for above in _path(name))}
    return {
        name
        for name, module in modules.items()
        if isinstance(module, LAYERS) and name not in alive and not _is_spare(name, modules, alive)
    }


def _is_spare(name: str, modules: Modules, alive: set[str]) -> bool:
    """Whether it lies in an element of a list of which other elements are reached."""
    top = next(above for above in _path(name) if above not in alive)
    return isinstance(modules[top.rpartition(".")[0]], nn.ModuleList | nn.ModuleDict)


def _reached(base: Any, modules: Modules) -> list[str] | None:
    """The layers from which a gradient comes back; None: two tokens do not tell."""
    config = base.config.get_text_config()
    end = config.eos_token_id
    end = end[0] if isinstance(end, list) else end  # some classifiers look for an end token
    ids = torch.tensor([[0, end if end is not None else 0]], device=base.device)
    zeros: dict[str, Tensor] = {}

    def add_zero(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            if not isinstance(output, Tensor):  # a router that is a linear layer by its class alone
                return output
            if name not in zeros:
                zeros[name] = output.new_zeros(()).requires_grad_(True)
            return output + zeros[name]

        return hook

    layers = [(name, module) for name, module in modules.items() if isinstance(module, LAYERS)]
    handles = [module.register_forward_hook(add_zero(name)) for name, module in layers]
    try:
        with torch.enable_grad():
            logits = base(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            found = torch.autograd.grad(logits.sum(), list(zeros.values()), allow_unused=True)
    except Exception:
        # An architecture that wants more than two tokens says so in its own way. Its layers then
        # all get adapters, as peft would have it.
        return None
    finally:
        for handle in handles:
            handle.remove()
    return [name for name, grad in zip(zeros, found, strict=True) if grad is not None]


def _path(name: str) -> Iterator[str]:
    """A module's ancestors from the outermost on, and itself."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))
