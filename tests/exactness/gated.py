"""Random gated systems as programs, each with its enumeration by an oracle.

The builder writes the graph file and, beside it, the flat list of variables that the oracle goes
over.
"""

import json
import random
from collections.abc import Mapping

import sysgraph
from sysgraph import Completion, Program, Trace

from .gated_builder import Builder
from .gated_oracle import Oracle, Outcome

QUESTION = "q"


class World:
    """A random system: its graph file as `spec`, its outcomes as the oracle finds them."""

    def __init__(self, seed: int, builder: type[Builder] = Builder) -> None:
        rng = random.Random(seed)
        built = builder(rng)
        built.build()
        self.spec, self.features = built.spec, built.features
        self._oracle = Oracle(built.vars, built.values, rng)
        self.outcomes = self._oracle.outcomes({"question": QUESTION})
        self.values, self.rows = self._oracle.values, self._oracle.rows
        self.spec["models"] = {
            model: {
                "kind": "table",
                "values": self.values[model],
                "contexts": list(rows),
                "probs": list(rows.values()),
            }
            for model, rows in self.rows.items()
        }

    def program(self) -> Program:
        return sysgraph.compile(sysgraph.load(json.dumps(self.spec)))

    def probability(self, outcome: Outcome) -> float:
        return self._oracle.probability(outcome)

    def trace(self, program: Program, texts: Mapping[str, str]) -> Trace:
        values = {name: Completion(text) for name, text in texts.items()}
        return Trace({"question": QUESTION}, values, program.outputs)
