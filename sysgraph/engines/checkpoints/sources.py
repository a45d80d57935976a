"""Where a checkpoint is, and whether what is there is one."""

import json
from pathlib import Path
from typing import NamedTuple

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
from transformers.utils.peft_utils import find_adapter_config_file

from sysgraph_schemas.suggest import closest

from ... import toys
from ...support.errors import InputError

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class Source(NamedTuple):
    """A checkpoint as it was named and as `from_pretrained` finds it."""

    name: str
    path: str
    revision: str | None = None
    what: str = "model id"
    """What the user was to name, for messages."""

    @property
    def is_folder(self) -> bool:
        """Whether it is on this machine, as opposed to the Hub."""
        return Path(self.path).is_dir()

    def refusal(self, why: str) -> InputError:
        """The error that says why it is not loaded."""
        return InputError(f"cannot load {self.what} {self.name!r}: {why}")


def source(name: str, *, revision: str | None = None, what: str = "model id") -> Source:
    """The checkpoint that a user named: a toy's, a folder's or the Hub's.

    A folder's path is relative to the working directory.

    Raises:
        InputError: it can only be a folder, and there is none; or it is an adapter, no model.
    """
    if toys.is_toy(name):
        return Source(name, str(toys.model_folder(name)), what=what)
    path = Path(name).expanduser()
    found = Source(name, str(path) if path.is_dir() else name, revision, what)
    if not found.is_folder and _is_path(name, path):
        raise found.refusal(_absent(path))
    adapter = find_adapter_config_file(found.path, revision=revision)
    if adapter is not None:
        raise found.refusal(_adapter(Path(adapter)))
    return found


def _is_path(name: str, path: Path) -> bool:
    """Whether it cannot be an id of the Hub, which is NAME or OWNER/NAME."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return True
    return path.exists()  # as a file


def _absent(path: Path) -> str:
    where = path.absolute()
    if path.exists():
        return f"{where} is a file; name the folder of the whole checkpoint"
    beside = [p.name for p in where.parent.iterdir()] if where.parent.is_dir() else []
    near = closest(path.name, beside)
    return f"no such folder: {where}" + (f"; did you mean {path.with_name(near)}?" if near else "")


def _adapter(config: Path) -> str:
    try:
        base = json.loads(config.read_text("utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        base = None
    on = f" on {base!r}" if base else ""
    return (
        f"it is an adapter{on}, no whole model: name its base instead (a graph's model can have it "
        "as its `adapter`), or merge the two once (peft: `merge_and_unload()`, then "
        "`save_pretrained`) and name what that gives"
    )


def pickled(folder: Path) -> list[str]:
    """Files of weights in a folder, if all that it has are pickled."""
    files = [f.name for f in folder.iterdir()] if folder.is_dir() else []
    if any(name.endswith((".safetensors", ".safetensors.index.json")) for name in files):
        return []
    return sorted(name for name in files if name.endswith(_PICKLED) and name != "training_args.bin")
