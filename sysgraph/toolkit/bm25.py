"""BM25 over a list of texts, by the library bm25s."""

import re
from collections.abc import Sequence

_LONGEST = 10_000
"""Words of a query that are looked at."""


def words(text: str) -> list[str]:
    """The words that a text is found by, in lower case.

    >>> words("The Auk's 3 eggs")
    ['the', 'auk', 's', '3', 'eggs']
    """
    return re.findall(r"\w+", text.lower())


class Index:
    """Ranks texts by Lucene's BM25 (k1 = 1.5, b = 0.75)."""

    def __init__(self, texts: Sequence[str]) -> None:
        from bm25s import BM25  # takes most of a second

        self._index = BM25()
        self._index.index([words(text) for text in texts], show_progress=False)

    def best(self, query: str, count: int) -> list[int]:
        """The texts that share a word with the query, the best first; ties in their own order."""
        asked = words(query)[:_LONGEST]
        if not asked:
            return []
        scores = self._index.get_scores(asked)  # [texts]
        order = (-scores).argsort(kind="stable")[:count]
        return [int(number) for number in order if scores[number] > 0]
