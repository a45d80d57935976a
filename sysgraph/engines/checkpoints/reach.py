"""What of a checkpoint a text reaches: the rest gets no adapter, since nothing would train it.

Such are the towers for images and sound, heads for other tasks, and layers whose keys and values
another one gives. Found by running it, since no name or setting tells them in every architecture.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .lending import not_kept
from .targets import LAYERS, Modules

_LENGTH = 32


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
    """The layers from which a gradient comes back; None: a text does not tell."""
    config = base.config.get_text_config()
    end = getattr(config, "eos_token_id", None)
    end = end[0] if isinstance(end, list) else end  # some classifiers look for an end token
    # Long enough for what looks back over chunks of tokens.
    length = min(_LENGTH, getattr(config, "max_position_embeddings", None) or _LENGTH)
    ids = torch.zeros(1, length, dtype=torch.long, device=base.device)
    ids[0, -1] = end or 0
    has_cache = "use_cache" in inspect.signature(base.forward).parameters
    cacheless = {"use_cache": False} if has_cache else {}
    zeros: dict[str, Tensor] = {}

    def add_zero(name: str) -> Any:
        def hook(layer: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            if not _is_plain(layer, args, output):
                return output
            if name not in zeros:
                zeros[name] = output.new_zeros(()).requires_grad_(True)
            return output + zeros[name]

        return hook

    layers = [(name, module) for name, module in modules.items() if isinstance(module, LAYERS)]
    handles = [module.register_forward_hook(add_zero(name)) for name, module in layers]
    try:
        with not_kept(), torch.enable_grad():
            logits = base(input_ids=ids, attention_mask=torch.ones_like(ids), **cacheless).logits
            found = torch.autograd.grad(logits.sum(), list(zeros.values()), allow_unused=True)
    except Exception:
        # An architecture that wants more than a text says so in its own way. All its layers then
        # get adapters, as peft would have it.
        return None
    finally:
        for handle in handles:
            handle.remove()
    return [name for name, grad in zip(zeros, found, strict=True) if grad is not None]


def _is_plain(layer: nn.Module, args: tuple[Any, ...], output: Any) -> bool:
    """Whether a layer gives what its class gives: some routers and grouped projections do not."""
    if not isinstance(output, Tensor):
        return False
    if not isinstance(layer, nn.Linear) or not args:
        return True
    return output.shape == (*args[0].shape[:-1], layer.out_features)


def _path(name: str) -> Iterator[str]:
    """A module's ancestors from the outermost on, and itself."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))
