"""The files that a system's tools read, copied to where its exported graph looks for them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sysgraph_compiler import Program

from ..support.errors import InputError
from ..tools import toolbox_of
from ..tools.base import find_tool
from ..tools.files import inside


def tool_files(program: Program) -> dict[str, Path]:
    """What there is to copy, by its path from the graph's folder.

    Raises:
        InputError: a tool reads all of that folder.
    """
    return dict(_found(program))


def _found(program: Program) -> Iterator[tuple[str, Path]]:
    folder = toolbox_of(program).folder
    for variable in program.variables:
        if variable.tool is None:
            continue
        tool = find_tool(variable.tool.name, program.bound.tools)
        for key in getattr(tool, "paths", ()):
            if key not in variable.tool.settings:
                continue
            said = str(variable.tool.settings[key])
            if not Path(said).parts:
                raise InputError(
                    f"tool {variable.tool.name!r} (node {variable.node}) reads the graph's whole "
                    f"folder, which is not exported: put its files into one of their own"
                )
            yield said, inside(folder, said)


def copy_all(files: dict[str, Path], root: Path) -> None:
    """Copies them into the export in `root`."""
    for said, path in files.items():
        target = root / said
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, target)
