"""The noise under which images are scored: new at every visit of a pair, or one of a few sets."""

from collections.abc import Mapping
from dataclasses import dataclass

from sysgraph_compiler import Program
from sysgraph_schemas.models.base import Noise

from ..objectives.diffusion import noise_seeds


@dataclass(frozen=True)
class Noises:
    """Sets of (timestep, noise) draws for the terms of a table that are scored under noise.

    Both sides of a pair, policy and reference share them (arXiv 2502.17721, appendix D).

    Args:
        of_terms: what noise the model of each of those terms has, by variable.
        seed: tells this table's draws from those of others.
        held_out: one set for each pair, so that evaluations differ by the weights alone.
    """

    of_terms: Mapping[str, Noise]
    seed: int
    held_out: bool

    @classmethod
    def of(cls, program: Program, seed: int, *, held_out: bool) -> "Noises":
        """Those of a program's terms."""
        models = {name: program.models[str(program.model_of(name))] for name in program.likely}
        found = {name: model.noise for name, model in models.items() if model.noise is not None}
        return cls(found, seed, held_out)

    def is_renewed(self, variable: str) -> bool:
        """Whether every visit has a set of its own."""
        noise = self.of_terms.get(variable)
        return noise is not None and noise.bank is None and not self.held_out

    def repeated(self, variable: str) -> int:
        """Sets that visits take in turn; 1 for what has no noise, or always new one."""
        noise = self.of_terms.get(variable)
        return 1 if noise is None or self.held_out else noise.bank or 1

    def draws(self, variable: str, row: int, number: int) -> tuple[int, ...]:
        """`Request.noise` of a row's set `number`; empty for what has no noise."""
        noise = self.of_terms.get(variable)
        if noise is None:
            return ()
        key = (self.seed, row, number)
        return noise_seeds(key, variable, noise.draws, noise.timesteps)
