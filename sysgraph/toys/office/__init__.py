"""The world "office": things and who owns them, small sums, and a clerk who is asked about both."""

from .recipe import ClerkRecipe
from .world import SOURCES, inputs, right

__all__ = ["SOURCES", "ClerkRecipe", "inputs", "right"]
