"""A template's syntax tree. Nothing is compiled, folded or rendered here."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from jinja2 import nodes
from jinja2.environment import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

from .flaw import Flaw
from .plain import plain_tree


@dataclass(frozen=True, slots=True)
class Token:
    """A word or sign inside `{{ }}` or `{% %}`."""

    kind: str
    value: str
    line: int
    start: int
    previous: str

    @property
    def end(self) -> int:
        """Where the token ends in the template."""
        return self.start + len(self.value)


@dataclass(frozen=True, eq=False)
class Parsed:
    """A template that is syntactically right."""

    text: str
    tree: nodes.Template

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The words and signs, for finding places; a template in order never needs them."""
        return tuple(_tokens(self.text))

    def find(self, value: str, line: int | None, after: str | None = None) -> tuple[int, int]:
        """Where a word stands on a line: (start, end) in the template; else the whole line."""
        line = line or 1  # jinja2 gives none to a few kinds of nodes
        for token in self.tokens:
            fits = token.value == value and token.line == line
            if fits and (token.previous == after if after else token.previous not in (".", "|")):
                return token.start, token.end
        return line_range(self.text, line)


_CODE = re.compile(r"\{[{%].*?(?:[%}]\}|$)", re.DOTALL)
_PARSER = Environment(keep_trailing_newline=True)


@lru_cache(maxsize=256)
def parse(text: str) -> Parsed | Flaw:
    """The template's tree, or its syntax error."""
    if "{" not in text:
        return Parsed(text, nodes.Template([]))
    try:
        return Parsed(text, tree_of(text))
    except TemplateSyntaxError as error:
        return _flaw(text, str(error.message), error.lineno)
    except (RecursionError, MemoryError):
        return Flaw("this expression is nested too deeply", 0, len(text))
    except (ValueError, OverflowError) as error:  # numbers and escapes that Python refuses
        return Flaw(f"a number or text in the template is not readable ({error})", 0, len(text))


def code_size(text: str) -> int:
    """Characters between `{{` and `}}` or `{%` and `%}`: what parsing costs."""
    return sum(map(len, code_of(text)))


def code_of(text: str) -> list[str]:
    """What stands between `{{` and `}}` or `{%` and `%}`, with these."""
    return _CODE.findall(text)


def tree_of(text: str) -> nodes.Template:
    """A fresh tree, as jinja2's parser makes it.

    Raises:
        jinja2.TemplateSyntaxError: the text is no template.
    """
    plain = plain_tree(text, _PARSER)
    if plain is not None:
        return plain
    return Parser(_PARSER, text).parse()  # Environment.parse rewrites tracebacks, with exec


def line_range(text: str, line: int) -> tuple[int, int]:
    """Start and end of a line (from 1) of a text, without white space around it."""
    lines = text.split("\n")
    line = min(max(line, 1), len(lines))
    start = sum(len(part) + 1 for part in lines[: line - 1])
    body = lines[line - 1]
    return start + len(body) - len(body.lstrip()), start + len(body.rstrip())


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    position, previous = 0, ""
    for line, kind, value in _PARSER.lexer.tokeniter(text, None):
        found = text.find(value, position)
        position = (found if found >= 0 else position) + len(value)
        if kind in ("data", "whitespace", "comment", "comment_begin", "comment_end"):
            continue
        tokens.append(Token(kind, value, line, position - len(value), previous))
        previous = value
    return tokens


_CULPRIT = re.compile(r"(?:got|unexpected|unknown tag|char|at) '(.+?)'")


def _flaw(text: str, message: str, line: int) -> Flaw:
    """A syntax error: jinja2 gives the line, its message the word."""
    start, end = line_range(text, line)
    body = text[start:end]
    culprit = _CULPRIT.search(message)
    if culprit and (at := body.rfind(culprit[1])) >= 0:
        start, end = start + at, start + at + len(culprit[1])
    elif (opened := max(body.rfind("{{"), body.rfind("{%"))) >= 0:
        start += opened
    said = message[:1].lower() + message[1:].rstrip(".")
    return Flaw(said, start, max(end, start + 1), _help(message))


def _help(message: str) -> str | None:
    if "end of template" in message and "end of print statement" in message:
        return "close {{ with }}"
    if "end of template" in message and "end of statement block" in message:
        return "close {% with %}"
    if "end of template" in message or "Unexpected end" in message:
        return "close what is open: {% for %} with {% endfor %}, {% if %} with {% endif %}"
    if "end of print statement" in message:
        return "one expression stands between {{ and }}; operators and filters join parts of it"
    return None
