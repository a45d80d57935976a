"""A checkpoint of which each process reads only its own part of every weight.

The module is made without numbers, on torch's meta device, and its weights are divided so. Then the
library that made it fills it from its files: of each weight, the rows that are this process's are
read. What a library does to names, types and buffers it does here too.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, PreTrainedModel
from transformers.distributed.configuration_utils import DistributedConfig
from transformers.models.auto.auto_factory import _BaseAutoModelClass, _get_model_class

from .lending import lend
from .parts import as_part_of, make_parts, place_of


def from_pretrained(
    kind: Any, path: str | Path, mesh: Any, **settings: Any
) -> tuple[Any, Mapping[str, Any]]:
    """As `kind.from_pretrained` with `output_loading_info`, of this process's parts alone.

    What comes is run as any module (see `lending`), and divided for good by `parts.aside`. Every
    process of the run must call it, though none waits for another.

    Args:
        kind: a class of transformers or diffusers, or an auto class of transformers.
        path: what `from_pretrained` takes.
        mesh: the processes, as torch's device mesh of one dimension.
        settings: more of what `from_pretrained` takes.

    Raises:
        whatever `from_pretrained` does.
    """
    if kind.__module__.startswith("diffusers."):
        parted = _diffusers_class(kind, mesh)
    else:
        parted = _transformers_class(_concrete(kind, path, settings), mesh)
        settings["distributed_config"] = DistributedConfig()  # else nothing asks for shards
    module, info = parted.from_pretrained(path, output_loading_info=True, **settings)
    if hasattr(module.config, "distributed_config"):
        del module.config.distributed_config  # how it is run here is no property of the checkpoint
    module.__class__ = module.__class__.__mro__[1]
    lend(module)
    return module, info


def _concrete(kind: Any, path: str | Path, settings: Mapping[str, Any]) -> Any:
    """The class that an auto class would load a checkpoint with."""
    if not issubclass(kind, _BaseAutoModelClass):
        return kind
    where = {k: v for k, v in settings.items() if k in ("revision", "local_files_only")}
    config = AutoConfig.from_pretrained(path, trust_remote_code=False, **where)
    if type(config) not in kind._model_mapping:
        return kind.from_pretrained(path, **settings)  # says why
    return _get_model_class(config, kind._model_mapping)


def _subclass(kind: Any, **overridden: Any) -> Any:
    """A class that loads as `kind` does but for some methods; what it is told by stays."""
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), {**names, **overridden})


# ---- transformers: its loader fills DTensors by itself


def _transformers_class(kind: type[PreTrainedModel], mesh: Any) -> Any:
    def distribute(_: Any, model: PreTrainedModel, *__: Any) -> PreTrainedModel:
        model.tie_weights()  # before it is divided: they are one weight
        make_parts(model, mesh)
        return model

    def initialize(self: Any, is_quantized: bool) -> None:
        with _whole(self, lambda p: not getattr(p, "_is_hf_initialized", False)):
            kind._initialize_missing_keys(self, is_quantized)

    def load(
        model: Any, state_dict: Any, checkpoint_files: Sequence[str], *others: Any
    ) -> tuple[Any, Any]:
        del state_dict
        with contextlib.ExitStack() as files:
            several = [files.enter_context(_opened(file)) for file in checkpoint_files]
            slices = {name: file.get_slice(name) for file in several for name in file.keys()}  # noqa: SIM118
            found: tuple[Any, Any] = kind._load_pretrained_model(
                model, slices, list(checkpoint_files), *others
            )
        return found

    return _subclass(
        kind,
        maybe_distribute_model=classmethod(distribute),
        _load_pretrained_model=staticmethod(load),
        _initialize_missing_keys=initialize,
    )


@contextlib.contextmanager
def _whole(module: nn.Module, wanted: Callable[[Tensor], bool]) -> Iterator[None]:
    """Some weights are whole meanwhile, to be given the same random numbers everywhere."""
    places: list[tuple[nn.Module, str, Any]] = [
        (owner, name, parameter)
        for owner in module.modules()
        for name, parameter in owner._parameters.items()
        if isinstance(parameter, DTensor) and wanted(parameter)
    ]
    whole = {
        id(p): nn.Parameter(torch.empty(p.shape, dtype=p.dtype), p.requires_grad)
        for _, _, p in places
    }
    for owner, name, parts in places:
        owner._parameters[name] = whole[id(parts)]
    yield
    for owner, name, parts in places:
        with torch.no_grad():
            parts.to_local().copy_(whole[id(parts)][place_of(parts)])
        parts._is_hf_initialized = True
        owner._parameters[name] = parts


# ---- diffusers: its loader of whole weights is replaced


def _diffusers_class(kind: Any, mesh: Any) -> Any:
    def load(
        _: Any,
        model: nn.Module,
        state_dict: dict[str, Tensor] | None,
        resolved_model_file: Sequence[str],
        *__: Any,
        dtype: torch.dtype | None = None,
        keep_in_fp32_modules: Sequence[str] | None = None,
        **___: Any,
    ) -> tuple[Any, ...]:
        del state_dict  # it stands for the one file, which nothing of has been read yet
        make_parts(model, mesh)
        mine = _Filling(model, dtype, keep_in_fp32_modules or ())
        for file in resolved_model_file:
            mine.add(file)
        return model, mine.missing, mine.unexpected, mine.misshapen, None, []

    return _subclass(kind, _load_pretrained_model=classmethod(load))  # type: ignore[arg-type]


class _Filling:
    """A module of diffusers, given its weights file by file."""

    def __init__(self, model: Any, dtype: torch.dtype | None, in_float32: Sequence[str]) -> None:
        self._model, self._dtype, self._in_float32 = model, dtype, set(in_float32)
        self._places = model.state_dict()
        ignored = model._keys_to_ignore_on_load_unexpected or ()
        self._ignored = "|".join(f"({pattern})" for pattern in ignored) or r"(?!)"
        self.missing = sorted(self._places)
        self.unexpected: list[str] = []
        self.misshapen: list[tuple[str, Any, Any]] = []

    def add(self, file: str) -> None:
        """Reads this process's rows of a file's weights."""
        with _opened(file) as weights:
            several = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118
            self._model._fix_state_dict_keys_on_load(several)  # of older attention blocks
            for name, saved in several.items():
                self._add(name, saved)

    def _add(self, name: str, saved: Any) -> None:
        place = self._places.get(name)
        if place is None:
            if not re.search(self._ignored, name):
                self.unexpected.append(name)
            return
        self.missing.remove(name)
        shape = tuple(saved.get_shape())
        if shape != tuple(place.shape):
            self.misshapen.append((name, shape, tuple(place.shape)))
            return
        found: Tensor = saved[place_of(place)]
        owner, _, name_there = name.rpartition(".")
        self._put(self._model.get_submodule(owner), name_there, found.to(self._type(name, found)))

    def _type(self, name: str, found: Tensor) -> torch.dtype:
        """As diffusers chooses it."""
        if self._dtype is None:
            stands: Tensor = self._places[name]
            return stands.dtype
        if not found.is_floating_point():
            return found.dtype
        return torch.float32 if self._in_float32 & set(name.split(".")) else self._dtype

    def _put(self, owner: nn.Module, name: str, value: Tensor) -> None:
        if name in owner._buffers:
            owner._buffers[name] = value
            return
        old = owner._parameters[name]
        assert old is not None
        new = as_part_of(value, old) if isinstance(old, DTensor) else value
        owner._parameters[name] = nn.Parameter(new, old.requires_grad)


def _opened(file: str) -> Any:
    """A file of weights, not mapped: of what a mapping touches the pages stay, and those beside."""
    return safe_open(file, framework="pt", backend="pread")
