"""What a `datasets` name says: `NAME`, `NAME/CONFIG`, `NAME:SPLIT`, or both."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sysgraph_schemas.suggest import closest, listed

from ..support.errors import InputError

_HEAD = 100_000
"""Characters of a README that may declare configurations."""
_SLICE = re.compile(r":[\w.+\[\]:%()-]*\[[\d:%+-]*\]")


@dataclass(frozen=True)
class DatasetName:
    """A dataset on the Hub or in a folder.

    Args:
        path: `OWNER/NAME` (or a bare `NAME`) on the Hub, or a folder.
        local: whether it is a folder.
        config: one of the dataset's configurations; None: its only one, or the default.
        split: what `datasets` takes as a split: `train`, `train[:50%]`, `train+test`.
    """

    path: str
    local: bool
    config: str | None
    split: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `text` names: a folder that is there before one on the Hub.

        Raises:
            InputError: it is the path of a file or folder that is not there.
        """
        if Path(text).is_dir():  # whose name may have a colon
            return cls(text, True, None, "train")
        head, _, split = text.partition(":")
        if not head.strip():
            raise InputError(f"{text!r} names no file and no dataset; expected NAME:SPLIT")
        split = split or "train"
        folder, parts = Path(head), head.split("/")
        configs = _configs(folder.parent) if len(parts) > 1 else []
        if folder.name in configs:
            return cls(str(folder.parent), True, folder.name, split)
        if folder.is_dir():
            return cls(str(folder), True, None, split)
        if configs and not folder.suffix:
            raise InputError(
                f"no such file: {folder}, and no configuration {folder.name!r} of the dataset in "
                f"{folder.parent}; it has {listed(configs)}"
            )
        if folder.is_file():
            raise InputError(
                f"{folder} is a file, which has no splits: a file is read whole, give it without "
                f"{':' + split!r}"
            )
        on_hub = 1 <= len(parts) <= 3 and all(re.fullmatch(r"\w[\w.-]*", part) for part in parts)
        if not on_hub or (folder.suffix and near(folder)):
            raise InputError(no_file(folder))
        return cls("/".join(parts[:2]), False, parts[2] if len(parts) == 3 else None, split)


def is_slice(text: str) -> bool:
    """Whether the brackets of a source are a split's (`data:train[:50%]`), and no pattern's."""
    return _SLICE.search(text) is not None


def no_file(path: Path) -> str:
    """That there is no such file, and which one of its folder was likely meant."""
    meant = near(path)
    return f"no such file: {path}" + (f"; did you mean {path.with_name(meant)}?" if meant else "")


def near(path: Path) -> str | None:
    """The name beside a path that is most like its own, if any is."""
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    return closest(path.name, siblings)


def _configs(folder: Path) -> list[str]:
    """The configurations that a folder's README declares; none where it is no such dataset."""
    page = folder / "README.md"
    if not page.is_file() or "config_name:" not in page.read_text("utf-8", "replace")[:_HEAD]:
        return []
    import datasets

    try:
        found: list[str] = datasets.get_dataset_config_names(str(folder.resolve()))
    except Exception:  # the library raises OSError, ValueError, its own and YAML's errors
        return []
    return found
