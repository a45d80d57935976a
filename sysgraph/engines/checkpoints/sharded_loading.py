"""A checkpoint of which each process reads only its own part of every weight.

The module is made without numbers, on torch's meta device, and sharded so (`fully_shard`). Then the
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
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from transformers import AutoConfig, PreTrainedModel
from transformers.distributed import DistributedConfig
from transformers.models.auto.auto_factory import _BaseAutoModelClass, _get_model_class

Shard = Callable[[nn.Module], None]
"""Shards a module in place: every parameter is a DTensor afterwards, on the device it was on."""


def from_pretrained(
    kind: Any, path: str | Path, shard: Shard, **settings: Any
) -> tuple[Any, Mapping[str, Any]]:
    """As `kind.from_pretrained` with `output_loading_info`, of this process's shards alone.

    Every process of the run must call it, though none waits for another.

    Args:
        kind: a class of transformers or diffusers, or an auto class of transformers.
        path: what `from_pretrained` takes.
        shard: is given the module without numbers.
        settings: more of what `from_pretrained` takes.

    Raises:
        whatever `from_pretrained` does.
    """
    if kind.__module__.startswith("diffusers."):
        sharded = _diffusers_class(kind, shard)
    else:
        sharded = _transformers_class(_concrete(kind, path, settings), shard)
        settings["distributed_config"] = DistributedConfig()  # else nothing asks for shards
    module, info = sharded.from_pretrained(path, output_loading_info=True, **settings)
    if hasattr(module.config, "distributed_config"):
        del module.config.distributed_config  # how it is run here is no property of the checkpoint
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


def _transformers_class(kind: type[PreTrainedModel], shard: Shard) -> Any:
    def distribute(_: Any, model: PreTrainedModel, *__: Any) -> PreTrainedModel:
        model.tie_weights()  # tied weights are one to be sharded
        shard(model)
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
            slices = {name: file.get_slice(name) for file in several for name in file.keys()}
            found: tuple[Any, Any] = kind._load_pretrained_model(
                model, slices, checkpoint_files, *others
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
    """Some shards are whole tensors meanwhile, to be given the same random numbers everywhere."""
    places = [
        (owner, name, parameter)
        for owner in module.modules()
        for name, parameter in owner._parameters.items()
        if isinstance(parameter, DTensor) and wanted(parameter)
    ]
    whole = {
        id(p): nn.Parameter(torch.empty(p.shape, dtype=p.dtype), p.requires_grad)
        for _, _, p in places
    }
    for owner, name, shards in places:
        owner._parameters[name] = whole[id(shards)]
    yield
    for owner, name, shards in places:
        with torch.no_grad():
            shards.to_local().copy_(whole[id(shards)][_mine(shards)])
        shards._is_hf_initialized = True  # type: ignore[attr-defined]
        owner._parameters[name] = shards


# ---- diffusers: its loader of whole weights is replaced


def _diffusers_class(kind: Any, shard: Shard) -> Any:
    def load(
        cls: Any,
        model: nn.Module,
        state_dict: dict[str, Tensor] | None,
        resolved_model_file: Sequence[str],
        *_: Any,
        dtype: torch.dtype | None = None,
        keep_in_fp32_modules: Sequence[str] | None = None,
        **__: Any,
    ) -> tuple[Any, ...]:
        del state_dict  # it stands for the one file, which nothing of has been read yet
        shard(model)
        mine = _Filling(model, dtype, keep_in_fp32_modules or ())
        for file in resolved_model_file:
            mine.add(file)
        return model, mine.missing, mine.unexpected, mine.misshapen, None, []

    return _subclass(kind, _load_pretrained_model=classmethod(load))


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
            several = {name: weights.get_slice(name) for name in weights.keys()}
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
        found: Tensor = saved[_mine(place)]
        owner, _, name_there = name.rpartition(".")
        self._put(self._model.get_submodule(owner), name_there, found.to(self._type(name, found)))

    def _type(self, name: str, found: Tensor) -> torch.dtype:
        """As diffusers chooses it."""
        if self._dtype is None:
            return self._places[name].dtype
        if not found.is_floating_point():
            return found.dtype
        return torch.float32 if self._in_float32 & set(name.split(".")) else self._dtype

    def _put(self, owner: nn.Module, name: str, value: Tensor) -> None:
        if name in owner._buffers:
            owner._buffers[name] = value
            return
        old = owner._parameters[name]
        assert old is not None
        new = _sharded_as(value, old) if isinstance(old, DTensor) else value
        owner._parameters[name] = nn.Parameter(new, old.requires_grad)


# ---- this process's part of a weight


def _opened(file: str) -> Any:
    """A file of weights. Not mapped: the pages that a mapping touches, and their neighbours, stay."""
    return safe_open(file, framework="pt", backend="pread")


def _mine(weight: Tensor) -> tuple[slice, ...]:
    """Where in a whole weight this process's part of it is."""
    if not isinstance(weight, DTensor):
        return tuple(slice(0, size) for size in weight.shape)
    shape, offset = compute_local_shape_and_global_offset(
        weight.shape, weight.device_mesh, weight.placements
    )
    return tuple(
        slice(first, first + size) if size else slice(0, 0)
        for first, size in zip(offset, shape, strict=True)
    )


def _sharded_as(part: Tensor, weight: DTensor) -> DTensor:
    """This process's part, as a part of a weight that is sharded as another is."""
    return DTensor.from_local(
        part.contiguous(),
        weight.device_mesh,
        weight.placements,
        run_check=False,
        shape=weight.shape,
        stride=weight.stride(),
    )
