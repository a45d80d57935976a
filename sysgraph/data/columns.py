"""Rows of Parquet files and of `datasets`: images as encoded bytes, never as pixels."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sysgraph_schemas.suggest import closest

from ..brief import brief
from ..errors import InputError


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file.

    Raises:
        InputError: the file is none.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a Parquet file: {error}") from error
    rows: list[dict[str, Any]] = table.to_pylist()
    return iter(rows)


def read_dataset(name: str) -> Iterator[dict[str, Any]]:
    """The rows of a `datasets` name or folder, of split `train` or of SPLIT in `name:SPLIT`.

    Raises:
        InputError: there is no such dataset or split, or it cannot be read.
    """
    path, _, split = name.partition(":")
    file = Path(path)
    local = file.exists()
    on_hub = not path.startswith((".", "/")) and path.count("/") <= 1
    if not local and (not on_hub or (file.suffix and _near(file))):
        raise InputError(no_file(file))
    try:
        return _load(path, split)
    except InputError:
        raise
    except Exception as error:  # the library raises OSError, ValueError, its own and hub errors
        cause = f" ({brief(error.__cause__)})" if error.__cause__ else ""
        where = "as a dataset" if local else f"{no_file(file)}; as a dataset on the Hub"
        raise InputError(f"cannot read {name!r}: {where}: {brief(error)}{cause}") from error


def _load(path: str, split: str) -> Iterator[dict[str, Any]]:
    import datasets

    folder = Path(path)
    on_disk = any((folder / file).is_file() for file in ("state.json", "dataset_dict.json"))
    loaded = datasets.load_from_disk(path) if on_disk else None
    if loaded is None:
        name = str(folder.resolve()) if folder.is_dir() else path
        return _rows(datasets.load_dataset(name, split=split or "train"))
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {split or "train": loaded}
    if (split or "train") not in splits:
        raise InputError(
            f"{path} has no split {split or 'train'!r}; it has {', '.join(splits)}: choose one as "
            f"{path}:{next(iter(splits))}"
        )
    return _rows(splits[split or "train"])


def _rows(dataset: Any) -> Iterator[dict[str, Any]]:
    """As Arrow has them: `datasets` itself would decode every image of a row."""
    for table in dataset.with_format("arrow").iter(batch_size=1000):
        yield from table.to_pylist()


def no_file(path: Path) -> str:
    """That there is no such file, and which one of its folder was likely meant."""
    near = _near(path)
    return f"no such file: {path}" + (f"; did you mean {path.with_name(near)}?" if near else "")


def _near(path: Path) -> str | None:
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    return closest(path.name, siblings)


def as_json(value: Any) -> Any:
    """The value as a JSON file would give it: rows are written on, as JSON, by `collect`."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return str(value)
