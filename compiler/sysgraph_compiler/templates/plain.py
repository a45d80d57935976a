"""The tree of a template that is text and names alone, `Improve: {{ draft }}`, as most are.

It is the one that jinja2's parser makes, at a quarter of the time: a graph of thousands of nodes
has thousands of these.
"""

import re

from jinja2 import nodes
from jinja2.environment import Environment

_NAME = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_NO_NAMES = frozenset({"true", "True", "false", "False", "none", "None", "not"})
_CODE = re.compile(r"\{[{%#]|\r")  # jinja2 also makes one line break of CR LF


def plain_tree(text: str, environment: Environment) -> nodes.Template | None:
    """A fresh tree; None for a template that holds anything else, right or wrong."""
    pieces = _NAME.split(text)  # text, name, text, ..., name, text
    told, names = pieces[::2], pieces[1::2]
    # A brace before a name's braces makes other code of these: `{{{ draft }}`.
    if any(map(_CODE.search, told)) or any(one.endswith("{") for one in told[:-1]):
        return None
    if not _NO_NAMES.isdisjoint(names):
        return None
    parts: list[nodes.Node] = []
    line = 1
    for number, piece in enumerate(pieces):
        if number % 2:
            parts.append(nodes.Name(piece, "load", lineno=line, environment=environment))
        elif piece:
            parts.append(nodes.TemplateData(piece, lineno=line, environment=environment))
            line += piece.count("\n")
    body: list[nodes.Node] = []
    if parts:
        body.append(nodes.Output(parts, lineno=1, environment=environment))
    return nodes.Template(body, lineno=1, environment=environment)
