"""`parsers:` of a graph file: named, deterministic readers of text, each with a failure policy."""

from typing import TYPE_CHECKING

from ..kinds import Kinds
from .base import Parser, same_option
from .extract import Regex, Tagged
from .json import Json
from .lists import Lines, Split
from .record import RecordField
from .word import Word

PARSER_KINDS = Kinds(
    "parser", "sysgraph.parsers", Parser, (Split, Lines, Regex, Tagged, Word, Json)
)

if TYPE_CHECKING:
    ParserSpec = Parser
else:
    ParserSpec = PARSER_KINDS.annotation

__all__ = [
    "PARSER_KINDS",
    "Json",
    "Lines",
    "Parser",
    "ParserSpec",
    "RecordField",
    "Regex",
    "Split",
    "Tagged",
    "Word",
    "same_option",
]
