"""The tool `search`."""

from pathlib import Path

from . import bm25
from .html_text import Page
from .pages import pages_in
from .retrieve import positive

_SNIPPET = 30
"""Words of a page that are shown."""


class Search:
    """The pages of a folder that fit a query best: each its name, title and some of its words.

    `pages` is a folder of .html, .md and .txt files, `top_k` how many pages there are at most.
    `browse` reads one of them.
    """

    name = "search"
    version = "1"
    returns = "list"
    paths = ("pages",)

    def open(self, pages: Path, top_k: int = 3) -> None:
        """Reads the pages and indexes them.

        Raises:
            InputError: they cannot be read.
        """
        positive(top_k, "top_k")
        self._pages, self._count = [*pages_in(pages).items()], top_k
        self._index = bm25.Index([f"{page.title}\n{page.text}" for _, page in self._pages])

    def call(self, query: list[str]) -> list[list[str]]:
        """What was found for each query."""
        return [
            [_shown(*self._pages[i], one) for i in self._index.best(one, self._count)]
            for one in query
        ]


def _shown(name: str, page: Page, query: str) -> str:
    title = f" ({page.title})" if page.title else ""
    return f"{name}{title}: {_snippet(page.text, query)}"


def _snippet(text: str, query: str) -> str:
    """The words of a text around the first that is asked for."""
    asked, words = {*bm25.words(query)}, text.split()
    hits = (i for i, word in enumerate(words) if not asked.isdisjoint(bm25.words(word)))
    start = max(0, next(hits, 0) - _SNIPPET // 3)
    some = " ".join(words[start : start + _SNIPPET])
    return ("... " if start else "") + some + (" ..." if start + _SNIPPET < len(words) else "")
