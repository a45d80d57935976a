"""`sampling/covered_mass` where selections are observed, against enumeration.

What a trajectory covers is an assignment of the latent values; where a selection takes one of them,
its value there is the selection's. A branch that nothing else reads is not latent: any value of it.
"""

import itertools
import random
from collections.abc import Set

import pytest

from sysgraph.latent import Gaps

from .gated import World
from .gated_builder import Refining
from .gated_oracle import Outcome
from .scripted import cases
from .test_gates import _log_p
from .test_sampling_gates import every, moved, objective


def trajectory(outcome: Outcome, gaps: Gaps, answer: object) -> frozenset[tuple[str, str]] | None:
    """What stands for an outcome: its latent values but for the last draft, which is the answer."""
    drafts = [name for name in ("d0", "d1", "d2") if name in outcome.values]
    if drafts[-1] in gaps.plan.latent and outcome.values["pick"] != answer:
        return None
    return frozenset(
        (name, outcome.texts[name])
        for name in gaps.plan.latent
        if name in outcome.texts and name != drafts[-1]
    )


def covered(
    w: World, p: list[float], gaps: Gaps, answer: object, drawn: Set[frozenset[tuple[str, str]]]
) -> float:
    found = (trajectory(outcome, gaps, answer) in drawn for outcome in w.outcomes)
    return sum(itertools.compress(p, found))


@pytest.mark.parametrize("seed", range(6))
def test_covered_mass(seed: int) -> None:
    w, rng = World(seed, Refining), random.Random(seed)
    tried = 0
    for held in (["pick"], ["pick", "note"]):
        for case in cases(w, held, rng, "set_sum"):
            system = moved(case.program, seed)
            made = objective(system, case.pair)
            (gaps,) = made.table.gaps
            assert gaps is not None
            tables = {m: system.parameters(m)["logits"].detach() for m in system.trained()}
            p = [float(_log_p(w, outcome, tables).exp()) for outcome in w.outcomes]
            assert sum(p) == pytest.approx(1)
            everything = every(w.outcomes, gaps)
            for size in (len(everything), 3):
                made._drawn[0] = tuple(rng.sample(everything, min(size, len(everything))))
                drawn = {
                    frozenset((n, v.text) for n, v in t.values.items()) for t in made._drawn[0]
                }
                answers = [side[0].values["pick"] for side in case.sides]
                wanted = sum(covered(w, p, gaps, answer, drawn) for answer in answers) / 2
                means = made.losses([0])[1].means()
                assert means["sampling/covered_mass"] == pytest.approx(wanted, abs=1e-5)
                tried += 0 < wanted < 1
    assert tried > 3
