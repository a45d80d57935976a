"""SG505: a regular expression that is none."""

import re
import warnings
from collections.abc import Iterator

from sysgraph_schemas import Code, Diagnostic, Regex
from sysgraph_schemas.limits import MAX_CASELESS, MAX_PATTERNS

from ..facts import Facts

CODE = Code(
    id="SG505",
    title="regular expression",
    meaning="`pattern` is a regular expression as Python's `re` reads it. It is compiled here, and "
    "never run before there is a text to parse.",
    wrong='parsers:\n  answer: {kind: regex, pattern: "answer: (.+", on_failure: reject}\n',
    right='parsers:\n  answer: {kind: regex, pattern: "answer: (.+)", on_failure: reject}\n',
)


_CASELESS = re.compile(r"\(\?[a-zA-Z]*i")


def check(facts: Facts) -> Iterator[Diagnostic]:
    """Each pattern that does not compile."""
    total = caseless = 0
    for name, parser in facts.graph.parsers.items():
        if not isinstance(parser, Regex):
            continue
        path = ("parsers", name, "pattern")
        total += len(parser.pattern)
        caseless += len(parser.pattern) if _CASELESS.search(parser.pattern) else 0
        if total > MAX_PATTERNS or caseless > MAX_CASELESS:
            said = f"the regular expressions have more than {MAX_PATTERNS:,} characters together"
            if caseless > MAX_CASELESS:
                said += f", or those with `(?i)` more than {MAX_CASELESS:,}"
            yield facts.diagnose(CODE, said, path)
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(parser.pattern)
        except re.error as error:
            at = min(error.pos or 0, len(parser.pattern) - 1)
            said = f"this is no regular expression: {error.msg}"
            yield facts.diagnose(CODE, said, path, within=(at, at + 1))
        except (OverflowError, RecursionError, MemoryError):
            yield facts.diagnose(CODE, "this regular expression is too big", path)
