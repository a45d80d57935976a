"""The processes that a launcher started for one command."""

from typing import TYPE_CHECKING

from .device import default_device

if TYPE_CHECKING:
    from accelerate import PartialState


def processes() -> "PartialState":
    """This process among them: its number, and how many there are.

    Without `cpu=True`, processes on a machine without an accelerator do not find each other: each
    would take itself for the only one.
    """
    from accelerate import PartialState

    return PartialState(cpu=default_device().type == "cpu")
