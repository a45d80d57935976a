"""States of which each process writes and reads its parts, by torch's distributed checkpointing.

Files are safetensors: of a divided weight each process's file has its part, and where in the whole
that is. So a state can be read by another number of processes. Nothing is pickled.
"""

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor

from ..support.errors import RunError

_FILE_BYTES = 2**30
"""Of whole tensors that one file of a process has parts of: it is made in memory, then written."""
_OF_WEIGHTS = ("policy", "optimizer", "reference", "best_round", "best", "moving")
"""What a state has by weights: `prefix/model/parameter`, of the optimizer `.../moment`."""


def write_parts(folder: Path, tensors: Mapping[str, Tensor], *, main: bool) -> None:
    """Writes `tensors` into `folder`, which is there; all processes call it at once.

    Args:
        tensors: by name. Each process writes its parts of divided ones, the main one all others.
        main: whether this process is that one.

    Raises:
        RunError: a process could not write its files.
    """
    mine = {name: t for name, t in tensors.items() if main or isinstance(t, DTensor)}
    writer = HuggingFaceStorageWriter(
        str(folder), fqn_to_index_mapping=_files(mine), save_distributed=True
    )
    with _quiet():
        try:
            save(mine, storage_writer=writer)
        except CheckpointException as error:  # by process
            raise RunError(f"cannot write {folder}: {_first(error)}") from None


def read_parts(folder: Path, weights: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """What `write_parts` wrote, or one safetensors file, into the CPU's memory.

    Args:
        weights: of the run that reads, by model and name. What belongs to a divided weight is read
            in parts like its own.

    Raises:
        RunError: the files are not those.
    """
    reader = HuggingFaceStorageReader(str(folder))
    found: dict[str, Any] = {}
    for name, said in reader.read_metadata().state_dict_metadata.items():
        assert isinstance(said, TensorStorageMetadata)
        weight = _weight_of(name, weights)
        shape, dtype = torch.Size(said.size), said.properties.dtype
        if isinstance(weight, DTensor) and weight.shape == shape:
            found[name] = _empty_like(weight, dtype)
        else:
            found[name] = torch.empty(shape, dtype=dtype)
    # Each reads what is its own: there is nothing to agree on.
    with _quiet():
        try:
            load(found, storage_reader=reader, no_dist=True)
        except CheckpointException as error:
            raise RunError(f"{_first(error)}") from None
    return found


def _weight_of(name: str, weights: Mapping[str, Mapping[str, Tensor]]) -> Tensor | None:
    """The weight that a tensor of a state belongs to."""
    prefix, _, rest = name.partition("/")
    model, _, parameter = rest.partition("/")
    if prefix not in _OF_WEIGHTS or model not in weights:
        return None
    if prefix == "optimizer":
        parameter = parameter.rpartition("/")[0]
    return weights[model].get(parameter)


def _empty_like(weight: DTensor, dtype: torch.dtype) -> DTensor:
    return DTensor.from_local(
        torch.empty(weight.to_local().shape, dtype=dtype),
        weight.device_mesh,
        weight.placements,
        run_check=False,
        shape=weight.shape,
        stride=weight.stride(),
    )


def _files(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """The number of the file of each process that a tensor goes into, from 1 on."""
    found, file, size = {}, 1, 0
    for name, tensor in tensors.items():
        found[name] = file
        size += tensor.numel() * tensor.element_size()
        if size >= _FILE_BYTES:
            file, size = file + 1, 0
    return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's word on one process that does what it is told to do alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="torch")
        yield


def _first(error: CheckpointException) -> BaseException:
    failures: Iterable[Any] = error.failures.values()
    found: BaseException = next(iter(failures))[0]
    return found
