"""Toy models on disk: built on first use, then found again."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from sysgraph.support.files import flush
from sysgraph.toys.recipe import PREFIX, Recipe
from sysgraph.toys.recipes import find, fingerprint
from sysgraph_schemas.visible import visible


def cache_root() -> Path:
    """The folder that holds built models: SYSGRAPH_CACHE, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("SYSGRAPH_CACHE") or platformdirs.user_cache_dir("sysgraph"))


def is_toy(model_id: str) -> bool:
    """Whether a model id names a toy model ("toy:..."); no Hub id has a colon."""
    return model_id.startswith(PREFIX)


def model_folder(model_id: str) -> Path:
    """The folder of a toy model, built first if need be (some seconds, a painter some minutes).

    `from_pretrained` loads it: `AutoModelForCausalLM`'s and `AutoTokenizer`'s, a painter
    `StableDiffusionPipeline`'s. Of several processes that ask at once one builds; the others wait
    and use what it built.

    Raises:
        ValueError: no toy model has this id.
    """
    recipe = find(model_id)
    toys = cache_root() / "toys"
    folder = toys / f"{model_id.removeprefix(PREFIX)}-{fingerprint(recipe)}"
    if folder.is_dir():
        return folder
    from filelock import FileLock

    toys.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            _build(recipe, folder)
    return folder


def _build(recipe: Recipe, folder: Path) -> None:
    """Build into a temporary sibling, and give it its name only when it is complete on disk."""
    staging = folder.with_name(f".{folder.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)  # what a killed build left: we hold the lock
    staging.mkdir()
    try:
        _write_checkpoint(recipe, staging, folder)
        for path in (*staging.rglob("*"), staging):
            flush(path)
        os.replace(staging, folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_checkpoint(recipe: Recipe, staging: Path, folder: Path) -> None:
    with _progress(recipe, folder) as on_step:
        recipe.build(staging, on_step)


@contextlib.contextmanager
def _progress(recipe: Recipe, folder: Path) -> Iterator[Callable[[], None]]:
    """A bar on stderr while a model is built; one plain line where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    text = f"building {recipe.model_id}"
    if not console.is_terminal:
        where = visible(f"{text} (first use, {recipe.duration}) in {folder}")
        console.print(where, markup=False, emoji=False, soft_wrap=True)
        yield lambda: None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(text, total=recipe.total_steps)
        yield lambda: bar.advance(task)
