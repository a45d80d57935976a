"""The embedded toy world: questions, a scorer, and tiny models built on first use.

Importing it is cheap: torch is imported only when a model has to be built.
"""

from sysgraph.toys import specialists
from sysgraph.toys.cache import is_toy, model_folder
from sysgraph.toys.recipes import model_names
from sysgraph.toys.specialists import inputs

__all__ = ["inputs", "is_toy", "model_folder", "model_names", "specialists"]
