"""Files of preferences and of inputs."""

from .inputs import load_inputs
from .preferences import load_pairs, pair_row

__all__ = ["load_inputs", "load_pairs", "pair_row"]
