"""Keeps libraries' own bars and notices out of ours while a model is put together."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from transformers.utils import logging


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No loading bars, no notices about names that transformers and peft are renaming."""
    with without_bars(logging), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        # peft's own patterns for experts, said of every model that has none; we set no patterns.
        warnings.filterwarnings("ignore", "The following (rank|alpha)_pattern keys did not match")
        yield


@contextlib.contextmanager
def without_bars(logging: Any) -> Iterator[None]:
    """No loading bars of the library whose `utils.logging` it is: transformers or diffusers."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
