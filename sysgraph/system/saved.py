"""The folders that a program's trained models are read from."""

from pathlib import Path

from sysgraph_compiler import Program

from ..support.errors import InputError
from ..support.files import component
from ..support.manifest import MANIFEST, require_whole
from .identity import program_of, require_all

_REMEDY = "put it back as it was, or train again"


def saved_models(program: Program, folder: Path | str) -> dict[str, Path]:
    """The folders of a program's models in a run, or in the `models` folder of one."""
    root = Path(folder)
    root = root / "models" if (root / "models").is_dir() else root
    trainable = [name for name, spec in program.models.items() if spec.is_trained]
    found = {name: root / component(name) for name in trainable}
    found = {name: path for name, path in found.items() if path.is_dir()}
    if (root / MANIFEST).is_file():
        require_whole(root, _REMEDY)
    if not found:
        raise InputError(
            f"{folder} holds no trained models of this system (a folder for one of "
            f"{', '.join(trainable) or 'none: every model is frozen'}, or `models` with them)"
        )
    require_all(program, found, program_of(Path(folder)), folder)
    return found
