"""Folders and files that are either whole or not there: staged, flushed, renamed.

State is safetensors and JSON, never pickle.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from ..engines.sharding import is_divided
from ..support.errors import RunError
from ..support.files import damaged, flush, read_json
from ..support.manifest import is_ours, remove, require_whole, write_manifest
from .workers import Workers

_TENSORS = "tensors.safetensors"
_INFO = "info.json"
_REMEDY = "put it back as it was, or start anew in another --output"


def publish(
    folder: Path, write: Callable[[Path], None], about: Mapping[str, Any] | None = None
) -> None:
    """Fills `folder` by `write(staging folder)`; what was there is removed only afterwards.

    Its manifest lists what was written. What others put into the folder before stays in it.

    Args:
        about: what else the manifest says.

    Raises:
        RunError: the folder is there and is not one that this function has filled.
    """
    staged, old = staging(folder), former(folder)
    recover(folder)
    shutil.rmtree(staged, ignore_errors=True)  # what a crash left: the name is ours alone
    staged.mkdir(parents=True)
    write(staged)
    write_manifest(staged, about)
    for file in staged.rglob("*"):
        flush(file)
    flush(staged)
    if folder.exists() or folder.is_symlink():
        if not is_ours(folder):
            raise RunError(f"{folder} is not what this run wrote: move it away")
        if old.exists() and any(old.iterdir()):
            raise RunError(f"{old} is in the way: move it away")
        folder.rename(old)
    staged.rename(folder)
    flush(folder.parent)
    recover(folder)


def recover(folder: Path) -> None:
    """Ends what a crash in `publish` left between its renames: the old folder is back, or gone."""
    old = former(folder)
    if not old.is_dir() or old.is_symlink():
        return
    with contextlib.suppress(FileNotFoundError):  # another process was faster
        if not folder.exists():
            old.rename(folder)
        elif is_ours(old):
            remove(old, foreign_to=folder)


def staging(folder: Path) -> Path:
    """Where the new content of a folder is until `publish` has all of it."""
    return folder.with_name(f".{folder.name}.staging")


def former(folder: Path) -> Path:
    """Where the former content of a folder is while `publish` replaces it."""
    return folder.with_name(f".{folder.name}.old")


@dataclass(frozen=True)
class State:
    """What a run needs to go on: tensors by slash-separated name, and JSON."""

    tensors: Mapping[str, Tensor]
    info: Mapping[str, Any]

    def under(self, prefix: str) -> dict[str, dict[str, Tensor]]:
        """{model: {parameter: tensor}} of the tensors named `prefix/model/parameter`."""
        out: dict[str, dict[str, Tensor]] = {}
        for name, tensor in self.tensors.items():
            head, _, rest = name.partition("/")
            if head == prefix:
                model, _, parameter = rest.partition("/")
                out.setdefault(model, {})[parameter] = tensor
        return out


def flatten(prefix: str, weights: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The inverse of `State.under`, on the CPU."""
    return {
        f"{prefix}/{model}/{name}": tensor.detach().cpu().contiguous()
        for model, tensors in weights.items()
        for name, tensor in tensors.items()
    }


def save_state(folder: Path, state: State) -> None:
    """Replaces the state in `folder`."""

    def write(staged: Path) -> None:
        save_file(dict(state.tensors), staged / _TENSORS)
        _write_info(staged, state)

    publish(folder, write)


def save_parts(folder: Path, state: State, workers: Workers) -> None:
    """Replaces the state in `folder` by one whose weights are divided; all processes call it.

    Args:
        state: of each process; what is not divided, and the JSON, are those of the main one.

    Raises:
        RunError: a process could not write its parts.
    """
    from .sharded_states import write_parts

    def write(staged: Path) -> None:
        workers.wait()  # for the others to see the folder
        write_parts(staged, state.tensors, main=True)
        _write_info(staged, state)

    if workers.main:
        publish(folder, write)
    else:
        workers.wait()
        write_parts(staging(folder), state.tensors, main=False)


def _write_info(staged: Path, state: State) -> None:
    (staged / _INFO).write_text(json.dumps(state.info, indent=2), encoding="utf-8")


def load_state(
    folder: Path, weights: Mapping[str, Mapping[str, Tensor]] | None = None
) -> State | None:
    """The state in `folder`, or None where no state was saved yet.

    Args:
        weights: of the run that goes on with it, by model and name: what belongs to a divided one
            is divided like it. So a run goes on with another number of processes.

    Raises:
        InputError: the files there are not those that were saved.
    """
    recover(folder)
    if not folder.is_dir():
        return None
    require_whole(folder, _REMEDY)
    info = read_json(folder / _INFO, _REMEDY)
    divided = any(is_divided(w) for several in (weights or {}).values() for w in several.values())
    try:
        if (folder / _TENSORS).is_file() and not divided:
            return State(load_file(folder / _TENSORS), info)
        from .sharded_states import read_parts

        return State(read_parts(folder, weights or {}), info)
    except Exception as error:  # safetensors raises its own type, the OS others
        raise damaged(folder / _TENSORS, f"{error}", _REMEDY) from error
