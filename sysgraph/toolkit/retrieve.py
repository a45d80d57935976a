"""The tool `retrieve`."""

from pathlib import Path
from typing import Protocol

from ..support.errors import InputError
from . import bm25
from .corpus import texts_of


class Ranking(Protocol):
    """Finds texts by a query."""

    def best(self, query: str, count: int) -> list[int]:
        """The places of the `count` best texts, or fewer, the best first."""
        ...


class Retrieve:
    """The texts of a corpus that fit a query best, by BM25 or by a sentence-embedding model.

    `corpus` is a JSONL file of `{"id", "text"}`, `top_k` how many texts there are at most; with
    `embedder`, the folder of a model, its vectors are compared. BM25 finds what shares a word with
    the query, and may find nothing.
    """

    name = "retrieve"
    version = "1"
    returns = "list"
    paths = ("corpus", "embedder")

    def open(self, corpus: Path, top_k: int = 3, embedder: Path | None = None) -> None:
        """Reads the corpus and indexes it.

        Raises:
            InputError: it, or the model, cannot be read.
        """
        positive(top_k, "top_k")
        self._texts, self._count = texts_of(corpus), top_k
        self._ranking = self._index(embedder)

    def _index(self, embedder: Path | None) -> Ranking:
        if embedder is None:
            return bm25.Index(self._texts)
        from . import dense  # imports torch

        return dense.Index(embedder, self._texts)

    def call(self, query: list[str]) -> list[list[str]]:
        """The best texts of each query."""
        return [[self._texts[i] for i in self._ranking.best(one, self._count)] for one in query]


def positive(value: object, setting: str) -> None:
    """Refuses a setting that is no whole number from 1 on.

    Raises:
        InputError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"settings.{setting} is {value!r:.60}; expected a whole number from 1 on")
