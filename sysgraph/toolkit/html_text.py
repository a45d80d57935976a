"""The words of an HTML page."""

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_SILENT = {"script", "style", "template", "noscript", "svg", "head"}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption"),
    *("footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav"),
    *("ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"),
}
_RAW = {"script", "style"}
_TAG = re.compile(r"<(?:(?P<comment>!--)|[!?]|(?P<name>/?[a-zA-Z][a-zA-Z0-9]*))")


class Page(NamedTuple):
    """A page's title, empty if it has none, and its text."""

    title: str
    text: str


def page_of(source: str) -> Page:
    r"""What a reader sees of an HTML page: a line for each paragraph, heading or cell.

    >>> page_of("<title>Birds</title><h1>The auk</h1><p>It <b>swims</b>.<script>x()</script>")
    Page(title='Birds', text='The auk\nIt swims.')
    """
    title, parts = "", []
    silent = Counter[str]()  # elements that are open and say nothing to a reader
    for tag, text in _pieces(source):
        name = tag.removeprefix("/")
        if name in _SILENT:
            silent[name] = max(0, silent[name] + (1 if tag == name else -1))
        elif tag == "body":  # a head that nobody closed
            silent.clear()
        elif name in _BLOCKS:
            parts.append("\0")
        if tag == "title":
            title = title or unescape(text)
        elif not silent.total():
            parts.append(unescape(text))
    lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(parts).split("\0"))
    return Page(re.sub(r"\s+", " ", title).strip(), "\n".join(line for line in lines if line))


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """Each tag, `p` or `/p`, with the text after it; the text before all of them has no tag.

    In one go over the page, whatever it is: `html.parser` takes hours for a megabyte of `<!--`.
    """
    at, tag = 0, ""
    while True:
        start = _TAG.search(source, at)
        yield tag, source[at : start.start() if start else len(source)]
        if start is None:
            return
        tag = (start["name"] or "").lower()
        closing = re.escape("-->" if start["comment"] else ">")
        end = re.compile(closing).search(source, start.end())
        if end is not None and tag in _RAW:  # up to its end there are no tags
            end = re.compile(f"(?=</{tag})", re.IGNORECASE).search(source, end.end())
        if end is None:
            return
        at = end.end()
