"""What is odd about a run, in words: from its metrics and its credit."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean

from .facts import Facts, Line

_DRIFT = 0.25
"""Change of a text's mean length that is worth a warning."""


def alarms(facts: Facts) -> list[str]:
    """Every warning, the most telling first."""
    found = [
        *_unfinished(facts),
        *_over_optimized(facts),
        *(facts.credit.warnings if facts.credit else ()),
        *_chosen_falls(facts),
        *_collapsed(facts),
        *_fails_more(facts),
        *_longer(facts),
        *_not_finite(facts),
        *(f"{lost} could not be read, and is left out" for lost in facts.lost),
    ]
    return list(dict.fromkeys(found))


def _unfinished(facts: Facts) -> Iterator[str]:
    if not facts.finished:
        fit = facts.program.fit
        yield (
            f"this run has not finished: it is shown as far as its files go, step {facts.at} of "
            f"{fit.steps * max(1, fit.rounds)}"
        )


def _over_optimized(facts: Facts) -> Iterator[str]:
    """Where held-out loss or score got worse while training went on."""
    rounds = max(1, facts.program.fit.rounds)
    for number in range(rounds):
        losses = [line["eval_loss"] for line in facts.milestones
                  if line.get("round") == number and line.get("eval_loss") is not None]  # fmt: skip
        if len(losses) > 2 and losses[-1] > min(losses) + 0.05 * abs(min(losses)):
            yield (
                f"over-optimization in round {number + 1}: the loss on held-out pairs rose again "
                f"from {min(losses):.3f} to {losses[-1]:.3f} while training went on. Fewer "
                "`steps`, more pairs or more rounds"
            )
    best = facts.result.get("best_round")
    if best is not None and best < facts.program.fit.rounds:
        yield (
            f"the rounds after round {best} lowered the score of held-out inputs: the weights from "
            f"{f'after round {best}' if best else 'before training'} were kept"
        )
    ends = [(facts.result.get(name) or {}).get("score") or {} for name in ("before", "after")]
    before, after = (end.get("mean") for end in ends)
    if before is not None and after is not None and after < before:
        yield f"the score of held-out inputs fell, from {before:.3f} to {after:.3f}"


def _chosen_falls(facts: Facts) -> Iterator[str]:
    for prefix, lines in (("eval_", facts.milestones), ("", facts.steps)):
        values = [v for line in lines if (v := line.get(f"{prefix}rewards/chosen")) is not None]
        if values:
            if values[-1] < -0.05:
                yield (
                    "the likelihood of the chosen side falls: the margin grows because the "
                    f"rejected side falls faster (beta log p/p_ref of chosen is {values[-1]:.2f} "
                    "at the end). A larger `anchor` holds it up"
                )
            return


def _collapsed(facts: Facts) -> Iterator[str]:
    k = facts.program.fit.sampling.k
    distinct = _late(facts.steps, "sampling/distinct")
    effective = _late(facts.steps, "sampling/ess")
    if k > 1 and distinct is not None and distinct < 1.2:
        yield (
            f"the samples have collapsed: of {k} trajectories drawn for each pair, {distinct:.1f} "
            "differ. Another `sampling.sampler`, or a higher `diversity_penalty`"
        )
    elif k > 1 and effective is not None and effective < 1.05:
        yield (
            "one trajectory decides each pair: the posterior over those that are drawn has an "
            f"effective size of {effective:.2f}, so that training sees as good as one sample"
        )


def _fails_more(facts: Facts) -> Iterator[str]:
    for side in ("held_out", "train"):
        values = _of_rounds(facts, f"failed/{side}")
        if len(values) > 1 and values[-1] > values[0] + 0.02:
            yield (
                f"more samples have no output: {values[0]:.1%} before, {values[-1]:.1%} at the end "
                "(a parser or tool rejects them)"
            )
            return


def _longer(facts: Facts) -> Iterator[str]:
    prefix = "tokens/held_out/"
    names = dict.fromkeys(k for line in facts.milestones for k in line if k.startswith(prefix))
    for name in names:
        values = _of_rounds(facts, name)
        if len(values) > 1 and values[0] and abs(values[-1] / values[0] - 1) > _DRIFT:
            grown = "longer" if values[-1] > values[0] else "shorter"
            yield (
                f"{name.removeprefix(prefix)} has become {grown}: {values[0]:.1f} tokens before, "
                f"{values[-1]:.1f} at the end. See whether the preferences are about length"
            )


def _not_finite(facts: Facts) -> Iterator[str]:
    """Metrics write null for what is not finite."""
    bad = [line for line in facts.steps if "loss" in line and line["loss"] is None]
    if bad:
        yield f"the loss was not finite at step {facts.when(bad[0])}"


def _of_rounds(facts: Facts, key: str) -> list[float]:
    return [line[key] for line in facts.milestones if line.get(key) is not None]


def _late(lines: Sequence[Line], key: str) -> float | None:
    """The mean of the last fifth."""
    values = [line[key] for line in lines if line.get(key) is not None]
    return fmean(values[-math.ceil(len(values) / 5) :]) if values else None
