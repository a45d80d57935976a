"""Means over seeds: the intervals of shares where all seeds agree, and where they do not."""

import pytest
import scipy.stats

from sysgraph.measuring.evaluation import estimate, share
from sysgraph.studies.results import mean_estimate, mean_share


@pytest.mark.parametrize("seeds", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 8, 3])
def test_seeds_that_agree_have_the_interval_of_one(seeds: int, count: int) -> None:
    found = mean_share([share(count, 8)] * seeds)
    low, high = scipy.stats.binomtest(count, 8).proportion_ci(method="wilson")
    assert (found.mean, found.n) == (count / 8, seeds)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_a_score_of_one_seed_has_the_interval_of_its_answers() -> None:
    scores = [0.2, 1.7, 2.9, 0.4]
    low, high = scipy.stats.t.interval(0.95, 3, loc=1.3, scale=scipy.stats.sem(scores))
    found = mean_estimate([estimate(scores)])
    assert (found.mean, found.low, found.high) == pytest.approx((1.3, low, high))
    assert found.n == 1
    assert mean_estimate([estimate(scores), estimate([1, 1])]).low == pytest.approx(
        1.15 - scipy.stats.t.ppf(0.975, 1) * 0.15
    )


def test_seeds_that_differ_have_students_within_what_a_share_is() -> None:
    values = [0.25, 0.5, 0.375]
    found = mean_share([share(8 * value, 8) for value in values])
    low, high = scipy.stats.t.interval(0.95, 2, loc=0.375, scale=scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.n == 3
    wide = mean_share([share(0, 8), share(8, 8)])
    assert (wide.low, wide.mean, wide.high) == (0, 0.5, 1)


def test_of_seeds_without_answers_nothing_is_said() -> None:
    assert mean_share([]).mean is None
    assert mean_share([share(0, 0)]).mean is None
    assert mean_share([share(0, 0), share(8, 8)]) == share(8, 8).model_copy(update={"n": 1})
