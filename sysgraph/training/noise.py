"""The noise under which images are scored: new at every visit of a pair, or one of a few sets."""

from collections.abc import Mapping
from dataclasses import dataclass

from sysgraph_compiler import Program
from sysgraph_schemas import Diffusion
from sysgraph_schemas.models.diffusion_objective import DiffusionObjective

from ..objectives.diffusion import noise_seeds


@dataclass(frozen=True)
class Noises:
    """Sets of (timestep, noise) draws for the terms of a table that are bounds.

    Both sides of a pair, policy and reference share them (arXiv 2502.17721, appendix D).

    Args:
        objectives: of the model of each of those terms, by variable.
        seed: tells this table's draws from those of others.
        held_out: one set for each pair, so that evaluations differ by the weights alone.
    """

    objectives: Mapping[str, DiffusionObjective]
    seed: int
    held_out: bool

    @classmethod
    def of(cls, program: Program, seed: int, *, held_out: bool) -> "Noises":
        """Those of a program's terms."""
        models = {name: program.models[str(program.model_of(name))] for name in program.likely}
        found = {name: m.objective for name, m in models.items() if isinstance(m, Diffusion)}
        return cls(found, seed, held_out)

    def is_renewed(self, variable: str) -> bool:
        """Whether every visit has a set of its own."""
        objective = self.objectives.get(variable)
        return objective is not None and objective.bank is None and not self.held_out

    def repeated(self, variable: str) -> int:
        """Sets that visits take in turn; 1 for what has no noise, or always new one."""
        objective = self.objectives.get(variable)
        return 1 if objective is None or self.held_out else objective.bank or 1

    def draws(self, variable: str, row: int, number: int) -> tuple[int, ...]:
        """`Request.noise` of a row's set `number`; empty for what has no noise."""
        objective = self.objectives.get(variable)
        if objective is None:
            return ()
        key = (self.seed, row, number)
        return noise_seeds(key, variable, objective.draws, objective.timesteps)
