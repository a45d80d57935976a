"""What was asked of a system and what it answered, each as one text."""

from collections.abc import Mapping

from ..support.errors import InputError
from ..traces.pictures import Picture
from ..traces.trace import Trace


def question(inputs: Mapping[str, str]) -> str:
    """A graph's inputs as one text; with their names, if there are several."""
    if len(inputs) == 1:
        return next(iter(inputs.values()))
    return "\n".join(f"{name}: {text}" for name, text in inputs.items())


def answer(trace: Trace, reader: str) -> str:
    """The final outputs as one text, for a reader of texts.

    Raises:
        InputError: one of them is an image.
    """
    if any(isinstance(trace.values.get(name), Picture) for name in trace.outputs):
        raise InputError(f"{reader} reads texts, and this system answers with images")
    return trace.output()
