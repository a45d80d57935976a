"""Rows of Parquet files and of `datasets`: images as encoded bytes, never as pixels."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sysgraph_schemas.suggest import closest

from ..brief import brief
from ..errors import InputError

MAX_BYTES = 1 << 32
"""Bytes of the rows of a Parquet file, all of which are in memory at a time."""


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file.

    Raises:
        InputError: the file is none, or its rows take more than `MAX_BYTES`.
    """
    import pyarrow
    import pyarrow.parquet

    rows: list[dict[str, Any]] = []
    size = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            # Few rows at a time: compressed, and each value stored once, a file says nothing of
            # how much it holds.
            for batch in file.iter_batches(batch_size=64):
                size += batch.nbytes
                if size > MAX_BYTES:
                    raise InputError(
                        f"{path} holds more than {MAX_BYTES:,} bytes by its row {len(rows) + 1:,}; "
                        "expected fewer: split it into several files"
                    )
                rows += batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a Parquet file: {error}") from error
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
