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

from ..errors import InputError
from ..files import flush

_STAGING = ".staging"
_OLD = ".old"
_TENSORS = "tensors.safetensors"
_INFO = "info.json"


def publish(folder: Path, write: Callable[[Path], None]) -> None:
    """Fills `folder` by `write(staging folder)`; what was there is removed only afterwards."""
    staged, old = folder.with_name(folder.name + _STAGING), folder.with_name(folder.name + _OLD)
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    write(staged)
    for file in staged.rglob("*"):
        flush(file)
    flush(staged)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    staged.rename(folder)
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Puts `folder` back if a crash came between the two renames of `publish`."""
    old = folder.with_name(folder.name + _OLD)
    if old.is_dir() and not folder.exists():
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            old.rename(folder)


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
        (staged / _INFO).write_text(json.dumps(state.info, indent=2), encoding="utf-8")

    publish(folder, write)


def load_state(folder: Path) -> State | None:
    """The state in `folder`, or None where no state was saved yet.

    Raises:
        InputError: the files there cannot be read.
    """
    recover(folder)
    if not folder.is_dir():
        return None
    try:
        info = json.loads((folder / _INFO).read_text(encoding="utf-8"))
        return State(load_file(folder / _TENSORS), info)
    except Exception as error:  # safetensors raises its own type, json and the OS theirs
        raise InputError(f"the state in {folder} cannot be read: {error}") from error
