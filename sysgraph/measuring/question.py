"""What was asked of a system and what it answered, each as one text."""

from collections.abc import Mapping

from ..support.errors import InputError
from ..traces.pictures import Picture
from ..traces.trace import Given, Trace, is_picture

_IMAGE = "(an image)"


def question(inputs: Mapping[str, Given]) -> str:
    """A graph's inputs as one text; with their names, if there are several.

    Of an image, it says that there is one: who reads the text sees no images.
    """
    texts = {name: _IMAGE if is_picture(given) else str(given) for name, given in inputs.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"{name}: {text}" for name, text in texts.items())


def answer(trace: Trace, reader: str) -> str:
    """The final outputs as one text, for a reader of texts.

    Raises:
        InputError: one of them is an image.
    """
    if any(isinstance(trace.values.get(name), Picture) for name in trace.outputs):
        raise InputError(f"{reader} reads texts, and this system answers with images")
    return trace.output()
