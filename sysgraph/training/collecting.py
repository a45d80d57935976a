"""Preference pairs from the current policy: what a round trains on, and is judged by."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ..measuring.evaluation import estimate
from ..measuring.samples import Scored, mean_score, ordered_pairs, sample_scored, why_no_pairs
from ..measuring.scorers import Scorer
from ..support.progress import Reporter
from ..support.seeding import derive
from ..system import System, occurrences_of
from ..traces.pair import Pair
from ..traces.trace import Completion, input_names
from .batches import hold_out, shuffled
from .metrics import MetricsFile
from .pairs import input_key
from .workers import Workers


@dataclass(frozen=True)
class Material:
    """What a run learns from and is measured by: fixed `pairs`, or `inputs` to collect on."""

    pairs: Sequence[Pair]
    inputs: Sequence[Mapping[str, Any]]
    eval_inputs: Sequence[Mapping[str, Any]]
    scorer: Scorer | None

    def digest(self) -> str:
        """Changes with any of the data, which a resumed run must find as they were."""
        digest = hashlib.blake2b(digest_size=16)
        for pair in self.pairs:
            digest.update(repr((pair.chosen, pair.rejected)).encode())
        for several in (self.inputs, self.eval_inputs):
            digest.update(repr([sorted(row.items()) for row in several]).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Collected:
    """A round's pairs by `train` and `held_out`, and the held-out inputs' mean score."""

    pairs: Mapping[str, Sequence[Pair]]
    held_out_score: float | None


class Collector:
    """Samples a system on its inputs, of which some are held out for the whole run."""

    def __init__(
        self,
        system: System,
        material: Material,
        *,
        workers: Workers,
        metrics: MetricsFile,
        reporter: Reporter,
    ) -> None:
        self._system, self._scorer, self._fit = system, material.scorer, system.program.fit
        self._workers, self._metrics, self._reporter = workers, metrics, reporter
        names = input_names(system.program)
        keys = [input_key({name: row[name] for name in names}) for row in material.inputs]
        held = hold_out(keys, self._fit.eval_fraction, self._fit.seed)
        sides = list(zip(material.inputs, held, strict=True))
        self._train_inputs = [row for row, is_held in sides if not is_held]
        self._held_inputs = [row for row, is_held in sides if is_held]

    def collect(self, number: int) -> Collected:
        """Round `number`'s pairs."""
        inputs = self._train_inputs
        if self._fit.inputs_per_round is not None:
            order = shuffled(len(inputs), derive(self._fit.seed, "inputs", number))
            inputs = [inputs[i] for i in order[: self._fit.inputs_per_round]]
        name = f"collect {number + 1}/{self._fit.rounds}"
        scored = {
            "train": self._sample(inputs, name, number),
            "held_out": self._sample(self._held_inputs, f"{name} held-out", number),
        }
        scores = self._log(number, f"round {number + 1}/{self._fit.rounds}", scored)
        pairs = {side: list(ordered_pairs(s, self._fit.samples)) for side, s in scored.items()}
        if not pairs["train"]:
            which = f"round {number + 1}/{self._fit.rounds}"
            why = why_no_pairs(scored["train"], self._fit.samples)
            self._reporter.line(f"warning: {which} has no pairs and takes no step: {why}")
        return Collected(pairs, scores.get("held_out"))

    def held_out_score(self) -> float | None:
        """The held-out inputs' mean score after the last round; None where none are held out."""
        number = self._fit.rounds
        scored = self._sample(self._held_inputs, "held-out score", number)
        return self._log(number, "after the last round", {"held_out": scored}).get("held_out")

    def _sample(self, inputs: Sequence[Mapping[str, Any]], name: str, number: int) -> list[Scored]:
        assert self._scorer is not None
        self._system.sync_all()
        mine = self._workers.share(inputs)
        occurrences = self._workers.share(occurrences_of(self._system.program, inputs))
        with self._reporter.task(name, len(mine)) as task:
            scored = sample_scored(
                self._system,
                mine,
                self._scorer,
                samples=self._fit.samples,
                seed=derive(self._fit.seed, "collect", number),
                occurrences=occurrences,
                advance=task.advance,
            )
        size = self._fit.samples
        groups = [scored[i : i + size] for i in range(0, len(scored), size)]
        return [one for group in self._workers.together(groups) for one in group]

    def _log(
        self, number: int, where: str, scored: Mapping[str, Sequence[Scored]]
    ) -> dict[str, float]:
        """Writes and shows the means of each side's samples; the mean scores."""
        assert self._scorer is not None
        found = {side: several for side, several in scored.items() if several}
        if not found:
            return {}
        scores = {side: mean_score(several) for side, several in found.items()}
        means = {"score": scores}
        success = self._scorer.success
        if success is not None:
            means[success.name] = {
                side: fmean(success.of(one.trace) for one in several)
                for side, several in found.items()
            }
        flat = {f"{name}/{side}": mean for name, by in means.items() for side, mean in by.items()}
        self._metrics.write({"round": number, **flat, **self._samples(found)})
        shown = (
            f"{name} {', '.join(f'{value:.3f} ({side})' for side, value in by.items())}"
            for name, by in means.items()
        )
        self._reporter.line(f"{where}: samples have {'; '.join(shown)}")
        return scores

    def _samples(self, scored: Mapping[str, Sequence[Scored]]) -> dict[str, float | None]:
        """What else a report says of each side's samples.

        The 95 % interval of the mean score, over inputs; the share that failed; the mean tokens of
        each text.
        """
        out: dict[str, float | None] = {}
        size = self._fit.samples
        for side, several in scored.items():
            groups = [several[i : i + size] for i in range(0, len(several), size)]
            mean = estimate([mean_score(group) for group in groups])
            out |= {f"score_low/{side}": mean.low, f"score_high/{side}": mean.high}
            out[f"failed/{side}"] = fmean(one.trace.failed for one in several)
            for name in self._system.program.likely:
                values = [one.trace.values.get(name) for one in several]
                lengths = [len(v.ids) for v in values if isinstance(v, Completion) and v.ids]
                if lengths:
                    out[f"tokens/{side}/{name}"] = fmean(lengths)
        return out
