"""The pages of a local folder, by name."""

from collections.abc import Mapping
from pathlib import Path

from ..support.errors import InputError
from ..tools.files import files_in, read
from .html_text import Page, page_of

ENDINGS = (".html", ".htm", ".md", ".txt")
_LARGEST = 2 << 20
"""Bytes of a page."""


def pages_in(folder: Path) -> Mapping[str, Page]:
    """The pages in a folder and those below it, by their path from there.

    Raises:
        InputError: there are none, or one is too big, is no UTF-8 text, or is a link that leads out
            of the folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of pages")
    found: dict[str, Page] = {}
    for file in files_in(folder):
        if file.suffix.lower() not in ENDINGS:
            continue
        name = file.relative_to(folder).as_posix()
        try:
            text = read(file, _LARGEST).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{file} is no UTF-8 text: byte {error.start + 1}") from None
        is_html = file.suffix.lower() in (".html", ".htm")
        found[name] = page_of(text) if is_html else Page("", text.strip())
    if not found:
        raise InputError(f"{folder} has no pages: expected files in {', '.join(ENDINGS)}")
    return found
