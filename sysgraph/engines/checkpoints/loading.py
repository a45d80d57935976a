"""The one way in for everything that is loaded from a checkpoint: data alone, and all of it.

No code that a checkpoint brings along is run, whatever a terminal's user would answer; nothing is
unpickled; and weights that its files lack are never made up in silence.
"""

import contextlib
from collections.abc import Iterator
from logging import CRITICAL
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging

from ...support.errors import InputError
from ...support.progress import Reporter
from ...support.quiet import quiet
from . import shapes
from .completeness import flaw, listed, report_of, unused
from .reasons import foreign_kernels, reason
from .sources import Source

# What transformers, diffusers and safetensors raise for a folder that is no checkpoint, or a
# damaged one, or one whose library is not installed.
UNREADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    TypeError,
    KeyError,
    AttributeError,
    ImportError,
    SafetensorError,
)


class Loaded(NamedTuple):
    """A module with the weights of its files."""

    module: Any
    fresh: tuple[str, ...]
    """Weights of the head that the files lack: random numbers."""
    unused: tuple[str, ...]
    """Weights in the files that the architecture of its config has no use for."""


def load_model(
    source: Source,
    kind: Any,
    *,
    dtype: Any = "auto",
    headless: bool = False,
    mesh: Any = None,
    **settings: Any,
) -> Loaded:
    """A module of `kind`, with every weight from its safetensors files, in evaluation mode.

    Args:
        source: where it is.
        kind: a class of transformers, or one of its auto classes.
        dtype: what `from_pretrained` takes; `auto` is the files' own.
        headless: whether the weights outside of the base model may be lacking.
        mesh: the processes that each read a part of every weight; None: this one reads all.
        settings: more of what `from_pretrained` takes.

    Raises:
        InputError: it cannot be loaded; says why.
    """
    revision = source.revision or "main"
    with explained(source):
        if shapes.are_all():
            module = shapes.blank(source.path, kind, dtype=dtype, revision=revision, **settings)
            return Loaded(module.eval(), (), ())
        settings |= {"dtype": dtype, "revision": revision}
        return read_model(source.path, kind, headless=headless, mesh=mesh, **settings)


def read_model(
    path: str | Path, kind: Any, *, headless: bool = False, mesh: Any = None, **settings: Any
) -> Loaded:
    """As `load_model`, of a folder or Hub id that needs no explaining.

    Args:
        path: what `from_pretrained` takes.
        kind: a class of transformers or diffusers.
        headless, mesh: as for `load_model`.
        settings: more of what `from_pretrained` takes.

    Raises:
        one of UNREADABLE: it cannot be loaded.
    """
    settings = {
        "use_safetensors": True,
        "ignore_mismatched_sizes": True,  # told below, by name
        **_without_code(path, kind, settings),
        **settings,
    }
    with silent():
        if mesh is None:
            module, info = kind.from_pretrained(path, output_loading_info=True, **settings)
        else:
            from .sharded_loading import from_pretrained

            module, info = from_pretrained(kind, path, mesh, **settings)
    report = report_of(info)
    fresh = tuple(n for n in report.missing if headless and is_head(module, n))
    lacking = tuple(n for n in report.missing if n not in fresh)
    wrong = flaw(module, report._replace(missing=lacking))
    if wrong is not None:
        raise ValueError(wrong)
    return Loaded(module.eval(), fresh, tuple(unused(module, report)))


def tell_unused(source: Source, loaded: Loaded) -> None:
    """Warns of weights that have no place in the module: it may be another model than it was."""
    if loaded.unused:
        Reporter().line(
            f"warning: {source.what} {source.name!r} has weights that its architecture does not "
            f"use: {listed(loaded.unused)}"
        )


def load_part(source: Source, kind: Any) -> Any:
    """A tokenizer, or a processor of texts or images, of `kind`.

    Raises:
        InputError: it cannot be loaded; says why.
    """
    with explained(source):
        return read_part(source.path, kind, revision=source.revision or "main")


def read_part(path: str | Path, kind: Any, **settings: Any) -> Any:
    """As `load_part`, of a folder or Hub id that needs no explaining.

    Raises:
        one of UNREADABLE: it cannot be loaded.
    """
    with silent():
        part = kind.from_pretrained(path, trust_remote_code=False, **settings)
    words = getattr(part, "tokenizer", part)
    if isinstance(words, PreTrainedTokenizerBase):
        if not _knows_words(words):
            raise ValueError("its tokenizer has no vocabulary: is a file of it missing?")
        if not _is_template(words.chat_template):
            raise ValueError("its tokenizer's `chat_template` is no text, nor texts by name")
    return part


@contextlib.contextmanager
def explained(source: Source) -> Iterator[None]:
    """Turns what a library raises while it loads `source` into an InputError."""
    try:
        yield
    except InputError:
        raise
    except UNREADABLE as error:
        raise source.refusal(reason(source, error)) from error


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Nothing of transformers' own: what is wrong is raised, and told once."""
    level = logging.get_verbosity()
    logging.set_verbosity(CRITICAL)
    try:
        with quiet():
            yield
    finally:
        logging.set_verbosity(level)


def _knows_words(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether it has tokens: without its files, some classes make one of special tokens alone."""
    return bool(tokenizer.get_vocab().keys() - set(tokenizer.all_special_tokens))


def _is_template(found: object) -> bool:
    """Whether it is a chat template, several by name, or none: its file may say anything."""
    texts = found.values() if isinstance(found, dict) else [] if found is None else [found]
    return all(isinstance(text, str) for text in texts)


def _without_code(path: str | Path, kind: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """More settings for `from_pretrained`, that keep a checkpoint's code from being run.

    Raises:
        ValueError: its config names compiled code to fetch and run.
    """
    if kind.__module__.startswith("diffusers."):
        return {}  # its classes run none, and take no such setting
    where = {k: v for k, v in settings.items() if k in ("revision", "local_files_only")}
    config, _ = PreTrainedConfig.get_config_dict(path, **where)
    kernels = foreign_kernels(config)
    if kernels is not None:
        raise ValueError(
            f"its config.json asks for compiled code from the Hub ({kernels}), which is never run"
        )
    return {"trust_remote_code": False}


def is_head(module: Any, name: str) -> bool:
    """Whether a weight or layer is none of the base model's, or of the pooler for heads alone."""
    base = f"{module.base_model_prefix}."
    return not f"{name}.".startswith(base) or name.startswith(f"{base}pooler.")
