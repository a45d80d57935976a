"""The tool `browse`."""

from collections.abc import Mapping
from pathlib import Path

from sysgraph_schemas.suggest import suggestion

from ..support.errors import InputError
from ..tools import ToolError
from ..tools.calls import each
from .html_text import Page
from .network import Web
from .pages import pages_in
from .retrieve import positive

_SECONDS = 60.0
"""For a page of the network, with all redirects."""


class Browse:
    """The text of a page: its title, and as many of its characters as `length` says.

    `pages` is a folder of .html, .md and .txt files, and a page is named by its path there. With
    `--allow-network`, a page is also an http or https address of the public internet.

    Args:
        network: whether pages of the network may be read.
        web: what reads them.
    """

    name = "browse"
    version = "1"
    returns = "text"
    paths = ("pages",)
    at_once = 8

    def __init__(self, *, network: bool = False, web: Web | None = None) -> None:
        self._network = network
        self._web = web or Web()

    def open(self, pages: Path | None = None, length: int = 2000) -> None:
        """Reads the folder.

        Raises:
            InputError: it cannot be read, or there is neither a folder nor a network.
        """
        positive(length, "length")
        if pages is None and not self._network:
            raise InputError("settings.pages: expected a folder of pages, or `--allow-network`")
        self._pages: Mapping[str, Page] = {} if pages is None else pages_in(pages)
        self._length = length

    def call(self, page: str) -> str:
        """The text of a page."""
        found = self._find(page.strip())
        text = f"{found.title}\n{found.text}" if found.title else found.text
        if not text.strip():
            raise ToolError(f"the page {page!r:.200} has no text")
        return text[: self._length]

    def _find(self, name: str) -> Page:
        # What is asked for is never made a path: it is a page that was read, or none.
        found = self._pages.get(name.removeprefix("./").lstrip("/"))
        if found is not None:
            return found
        if "://" in name and self._network:
            (outcome,) = each([lambda: self._web.page(name)], timeout=_SECONDS)
            if isinstance(outcome, Exception):
                raise outcome
            page: Page = outcome
            return page
        if "://" in name:
            raise ToolError(f"{name!r:.200}: pages of the network are read with `--allow-network`")
        known = suggestion(name, self._pages, "there are") if self._pages else "there are none"
        raise ToolError(f"there is no page {name!r:.200}; {known}")
