"""What a terminal can show."""

import os
import sys
from typing import TextIO


def has_colors(stream: TextIO | None = None) -> bool:
    """Whether a stream (default: stderr) is a terminal that wants colours (https://no-color.org)."""
    isatty = (stream or sys.stderr).isatty()
    return isatty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
