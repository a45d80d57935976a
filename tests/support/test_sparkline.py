import math
from itertools import pairwise

import numpy as np
import pytest

from sysgraph.support.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([3], "▁"),
        ([2, 2, 2], "▁▁▁"),
        (range(8), "▁▂▃▄▅▆▇█"),
        ([1, 0], "█▁"),
        ([0, math.nan, 1, math.inf], "▁ █ "),
        ([math.nan], " "),
    ],
)
def test_bars(values: list[float], line: str) -> None:
    assert sparkline(values, 8) == line


@pytest.mark.parametrize("count", [41, 80, 1003])
def test_more_values_than_bars_are_means(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count).cumsum()
    edges = np.arange(41) * count // 40
    means = np.array([values[a:b].mean() for a, b in pairwise(edges)])
    found = sparkline(values.tolist(), 40)
    assert found == sparkline(means.tolist(), 40)
    assert len(found) == 40
    assert found[int(means.argmax())] == "█"
    assert found[int(means.argmin())] == "▁"
