"""What a study finds, as data: means over seeds with 95 % intervals."""

from collections.abc import Sequence
from html import escape

from pydantic import BaseModel

from ..measuring.evaluation import Estimate, Evaluation, estimate
from ..measuring.winrate import WinRate
from ..reports.texts import table


class Weights(BaseModel):
    """What was measured: digests of the models before training, and of the trained ones by run."""

    bases: dict[str, str]
    trained: dict[str, str]


class Measurement(BaseModel):
    """One seed's answers to the held-out inputs: their scores, and how often they are better.

    `against_reference` compares with the inputs' field `reference`, None where no input has one;
    `against_before` with the untrained system's answers, None for those themselves.
    """

    judge: str
    weights: Weights
    evaluation: Evaluation
    against_reference: WinRate | None
    against_before: WinRate | None


class Draws(BaseModel):
    """What training drew to sum over, each a mean over a run's steps and then over seeds.

    `drawn`: trajectories per pair and step. `distinct`: how many of them differ and were scored, on
    both sides, by policy and reference. `effective`: sample size of their posterior weights.
    `covered`: share of the policy's mass on them.
    """

    drawn: int
    distinct: Estimate
    effective: Estimate
    covered: Estimate


class StudyRow(BaseModel):
    """One way of using or training the system: means over seeds with 95 % intervals.

    `meaning` says which. `shares` are of what else the scorer asks, by its name. `draws` is there
    where samplers are compared. `seeds` are the measurements that the means are of, `failures` what
    kept others from being made. The interval of one seed, or of several that agree, is that of a
    single one's answers.
    """

    name: str
    meaning: str
    score: Estimate
    perfect: Estimate | None
    failed: Estimate
    abstained: Estimate
    shares: dict[str, Estimate] = {}
    against_reference: Estimate | None
    against_before: Estimate | None
    draws: Draws | None = None
    seeds: list[Measurement]
    failures: list[str] = []


class Study(BaseModel):
    """A study's rows. `scorer`, `judge` and `inputs` say what was measured on what."""

    graph: str
    scorer: str
    judge: str
    inputs: str
    rows: list[StudyRow]

    def _repr_html_(self) -> str:
        cells = [
            [escape(row.name), escape(str(row.score)), escape(row.meaning)] for row in self.rows
        ]
        return table(["", f"{self.scorer} [95 %]", "meaning"], cells, self.graph)


def mean_row(
    name: str,
    meaning: str,
    seeds: Sequence[Measurement],
    failures: Sequence[str],
    *,
    has_perfect: bool,
    draws: Draws | None,
) -> StudyRow:
    """The row of these measurements.

    Args:
        has_perfect: whether the scorer has a highest score.
    """
    found = [seed.evaluation for seed in seeds]
    return StudyRow(
        name=name,
        meaning=meaning,
        score=mean_estimate([e.score for e in found]),
        perfect=mean_share([e.perfect for e in found if e.perfect]) if has_perfect else None,
        failed=mean_share([e.failed for e in found]),
        abstained=mean_share([e.abstained for e in found]),
        shares=_shares(found),
        against_reference=_win_rate([seed.against_reference for seed in seeds]),
        against_before=_win_rate([seed.against_before for seed in seeds]),
        draws=draws,
        seeds=list(seeds),
        failures=list(failures),
    )


def mean_estimate(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over seeds of one estimate each, with Student's interval over seeds.

    Where that says nothing, one seed's own interval: it is honest about few answers, and seeds that
    agree are no more answers to other inputs.
    """
    known = [one for one in estimates if one.mean is not None]
    found = estimate([one.mean for one in known if one.mean is not None])
    if found.low is None or found.high is None:
        return known[0].model_copy(update={"n": found.n}) if known else found
    return found


def mean_share(shares: Sequence[Estimate]) -> Estimate:
    """`mean_estimate` of shares, within what a share can be."""
    found = mean_estimate(shares)
    if found.low is None or found.high is None:
        return found
    return found.model_copy(update={"low": max(0.0, found.low), "high": min(1.0, found.high)})


def _shares(found: Sequence[Evaluation]) -> dict[str, Estimate]:
    names = dict.fromkeys(name for e in found for name in e.shares)
    return {name: mean_share([e.shares[name] for e in found if name in e.shares]) for name in names}


def _win_rate(found: Sequence[WinRate | None]) -> Estimate | None:
    """The mean over seeds of each seed's win rate; None where nothing was compared."""
    rates = [one.win_rate for one in found if one is not None]
    return mean_share(rates) if rates else None
