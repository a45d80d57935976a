"""A compiled system: its models, and what is asked of them."""

from .system import System, occurrences_of

__all__ = ["System", "occurrences_of"]
