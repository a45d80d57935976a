"""Rows of Parquet files and of `datasets`: images as encoded bytes, never as pixels."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sysgraph_schemas.suggest import listed

from ..support.brief import brief
from ..support.errors import InputError
from .dataset_names import DatasetName, no_file

MAX_BYTES = 1 << 32
"""Bytes of the rows of a Parquet file, all of which are in memory at a time."""


def read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file.

    Raises:
        InputError: the file is none, or its rows take more than `MAX_BYTES`.
    """
    rows: list[dict[str, Any]] = []
    size = 0
    for batch in _batches(path):
        size += batch.nbytes
        if size > MAX_BYTES:
            raise InputError(
                f"{path} holds more than {MAX_BYTES:,} bytes by its row {len(rows) + 1:,}; "
                "expected fewer: split it into several files"
            )
        rows += batch.to_pylist()
    return iter(rows)


def stream_parquet(path: Path) -> Iterator[dict[str, Any]]:
    """`read_parquet` of a file of any size, with few of its rows in memory at a time.

    Raises:
        InputError: the file is none, or few of its rows take more than `MAX_BYTES`.
    """
    for batch in _batches(path):
        if batch.nbytes > MAX_BYTES:
            raise InputError(
                f"{path}: {batch.num_rows} of its rows hold more than {MAX_BYTES:,} bytes"
            )
        yield from batch.to_pylist()


def _batches(path: Path) -> Iterator[Any]:
    """A few rows at a time, as Arrow has them."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            # Few rows at a time: compressed, and each value stored once, a file says nothing of
            # how much it holds.
            yield from file.iter_batches(batch_size=64)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a Parquet file: {error}") from error


def read_dataset(name: DatasetName, source: str) -> Iterator[dict[str, Any]]:
    """The rows of a dataset; `source` is how it was named, for messages.

    Raises:
        InputError: there is no such dataset, configuration or split, or it cannot be read.
    """
    try:
        return _load(name)
    except InputError:
        raise
    except Exception as error:  # the library raises OSError, ValueError, its own and hub errors
        if "Config name is missing" in str(error):
            raise InputError(_choose_config(name)) from error
        cause = f" ({brief(error.__cause__)})" if error.__cause__ else ""
        where = (
            "as a dataset" if name.local else f"{no_file(Path(name.path))}; as a dataset on the Hub"
        )
        raise InputError(f"cannot read {source!r}: {where}: {brief(error)}{cause}") from error


def _load(name: DatasetName) -> Iterator[dict[str, Any]]:
    import datasets

    folder = Path(name.path)
    on_disk = any((folder / file).is_file() for file in ("state.json", "dataset_dict.json"))
    if name.local and on_disk:
        return _saved(name)
    path = str(folder.resolve()) if name.local else name.path
    return rows_of(datasets.load_dataset(path, name.config, split=name.split))


def _saved(name: DatasetName) -> Iterator[dict[str, Any]]:
    """What `save_to_disk` wrote: its splits are cut as `load_dataset` cuts those of other sets."""
    import datasets

    loaded = datasets.load_from_disk(name.path)
    cuts = datasets.ReadInstruction.from_spec(name.split)
    known = re.match(r"\w+", name.split)
    only = {known[0] if known else "train": loaded}
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else only
    try:
        parts = cuts.to_absolute({split: len(rows) for split, rows in splits.items()})
    except ValueError:
        raise InputError(
            f"{name.path} has no split {name.split!r}; it has {', '.join(splits)}: choose one as "
            f"{name.path}:{next(iter(splits))}"
        ) from None
    for part in parts:
        yield from rows_of(splits[part.splitname].select(range(part.from_, part.to)))


def _choose_config(name: DatasetName) -> str:
    import datasets

    configs: list[str] = datasets.get_dataset_config_names(
        str(Path(name.path).resolve()) if name.local else name.path
    )
    split = "" if name.split == "train" else f":{name.split}"
    return (
        f"the dataset {name.path} has several configurations, {listed(configs)}: name one, as in "
        f"{name.path}/{configs[0]}{split}"
    )


def rows_of(dataset: Any) -> Iterator[dict[str, Any]]:
    """As Arrow has them: `datasets` itself would decode every image of a row."""
    for table in dataset.with_format("arrow").iter(batch_size=1000):
        yield from table.to_pylist()


def as_json(value: Any) -> Any:
    """The value as a JSON file would give it: rows are written on, as JSON, by `collect`.

    Of bytes, as of images beside the inputs, nothing.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, bytes):
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return str(value)
