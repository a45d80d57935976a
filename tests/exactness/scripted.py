"""Everything that can be drawn for a pair of a random gated system, with its probability."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sysgraph import Completion, Program, System
from sysgraph.latent import Gaps
from sysgraph.latent.paths import Asked, Path, walk
from sysgraph.traces.course import complete
from sysgraph.traces.pair import Pair

from .gated import World
from .gated_oracle import Outcome
from .test_sampling_gates import BETA, shown

Values = frozenset[tuple[str, Completion]]


class Script:
    """Decisions that are taken in every possible way, one run after the other."""

    def __init__(self) -> None:
        self._open: list[tuple[int, ...]] = [()]
        self._given: tuple[int, ...] = ()
        self._taken: tuple[int, ...] = ()
        self.probability = 1.0

    def __iter__(self) -> Iterator["Script"]:
        while self._open:
            self._given, self._taken, self.probability = self._open.pop(), (), 1.0
            yield self

    def choose(self, chances: Mapping[str, float]) -> str:
        at, names = len(self._taken), list(chances)
        if at == len(self._given):
            self._open += [(*self._taken, i) for i in range(1, len(names))]
            self._given = (*self._given, 0)
        self._taken = (*self._taken, self._given[at])
        chosen = names[self._given[at]]
        self.probability *= chances[chosen]
        return chosen

    def toss(self, _: str) -> bool:
        return self.choose({"heads": 0.5, "tails": 0.5}) == "heads"


def every_draw(w: World, system: System, gaps: Gaps, side: int) -> dict[Values, float]:
    """What a draw under one side can be, with its probability."""
    found: dict[Values, float] = {}
    for script in Script():
        path = Path(gaps, side, None, 0, script.toss, "row")
        for several in walk(system, [path]):
            for asked in several:
                text = script.choose(_chances(w, system, asked))
                path.values[asked.variable] = Completion(text)
        key = frozenset(path.trajectory.values.items())
        found[key] = found.get(key, 0) + script.probability
    return found


def _chances(w: World, system: System, asked: Asked) -> dict[str, float]:
    row = list(w.rows[asked.model]).index(str(asked.context))
    p = system.parameters(asked.model)["logits"][row].detach().exp().tolist()
    found = dict(zip(w.values[asked.model], p, strict=True))
    among = {value: found[value] for value in asked.options or found}
    return {value: p / sum(among.values()) for value, p in among.items()}


@dataclass(frozen=True)
class Case:
    """A pair, and the outcomes that agree with each of its sides."""

    program: Program
    pair: Pair
    sides: tuple[list[Outcome], list[Outcome]]


def cases(w: World, held: list[str], rng: random.Random, estimator: str) -> Iterator[Case]:
    """Two random pairs of which data holds these nodes."""
    compiled = w.program()
    if not {*held} <= {v.node for v in compiled.variables}:
        return
    names = [v.name for v in compiled.variables if v.node in held]
    settings = {"sampler": "ancestral", "estimator": estimator}
    sampling = compiled.fit.sampling.model_copy(update=settings)
    fit = compiled.fit.model_copy(update={"beta": BETA, "observed": held, "sampling": sampling})
    outputs = tuple(n for n in compiled.outputs if n in names) or (names[-1],)
    program = compiled.model_copy(update={"fit": fit, "outputs": outputs})
    agreeing: dict[object, list[Outcome]] = {}
    for outcome in w.outcomes:
        agreeing.setdefault(shown(outcome, names), []).append(outcome)
    several = list(itertools.permutations(agreeing.values(), 2))
    for sides in rng.sample(several, min(2, len(several))):
        traces = [complete(program, w.trace(program, rng.choice(s).texts)) for s in sides]
        yield Case(program, Pair(*traces, "row"), sides)
