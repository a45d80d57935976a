"""Grouping against its own examples."""

import doctest

from sysgraph.support import grouping


def test_the_examples_hold() -> None:
    found = doctest.testmod(grouping)
    assert found.failed == 0
    assert found.attempted == 2
