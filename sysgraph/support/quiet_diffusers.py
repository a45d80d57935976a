"""Keeps diffusers' own bars and notices out of ours."""

import contextlib
from collections.abc import Iterator

from transformers.utils import logging as transformers_logging

from .errors import InputError
from .quiet import quiet as quiet_transformers
from .quiet import without_bars

try:
    import diffusers  # noqa: F401
    import PIL  # noqa: F401
    from diffusers.utils import logging as diffusers_logging
except ModuleNotFoundError as error:
    if error.name not in ("diffusers", "PIL"):
        raise
    raise InputError(
        "diffusion models need diffusers and Pillow: pip install 'sysgraph[diffusion]'"
    ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No loading bars; of transformers and diffusers, errors alone.

    They warn of what is settled here (no safety checker, half-precision modules) or told with its
    row by us (a caption beyond the text encoder's limit).
    """
    levels = [(m, m.get_verbosity()) for m in (diffusers_logging, transformers_logging)]
    for module, _ in levels:
        module.set_verbosity_error()
    try:
        with quiet_transformers(), without_bars(diffusers_logging):
            yield
    finally:
        for module, level in levels:
            module.set_verbosity(level)
