"""SG505: a regular expression that is none."""

import re
import warnings
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from sysgraph_schemas import Code, Diagnostic
from sysgraph_schemas.limits import MAX_CASELESS, MAX_PATTERNS, MAX_UNROLLED

from ...facts import Facts

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
    total = caseless = unrolled = 0
    for name, parser in facts.graph.parsers.items():
        pattern = parser.expression
        if pattern is None:
            continue
        path = ("parsers", name, "pattern")
        total += len(pattern)
        caseless += len(pattern) if _CASELESS.search(pattern) else 0
        if total > MAX_PATTERNS or caseless > MAX_CASELESS:
            said = f"the regular expressions have more than {MAX_PATTERNS:,} characters together"
            if caseless > MAX_CASELESS:
                said += f", or those with `(?i)` more than {MAX_CASELESS:,}"
            yield facts.diagnose(CODE, said, path)
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                unrolled += _unrolled(_parser.parse(pattern))
                if unrolled > MAX_UNROLLED:
                    yield facts.diagnose(CODE, _TOO_BIG, path, help=_SMALLER)
                    return
                re.compile(pattern)
        except re.error as error:
            at = min(error.pos or 0, len(pattern) - 1)
            said = f"this is no regular expression: {error.msg}"
            yield facts.diagnose(CODE, said, path, within=(at, at + 1))
        except (OverflowError, RecursionError, MemoryError):
            yield facts.diagnose(CODE, "this regular expression is too big", path)


_TOO_BIG = (
    f"the regular expressions have more than {MAX_UNROLLED:,} characters together with each part "
    "as often as it must repeat, `a{3}` as `aaa`"
)
_SMALLER = "ask for fewer repetitions, or for any number of them: `+`, `{1,1000}`"
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def _unrolled(part: Any) -> int:
    """The size of a parsed pattern with each part as often as it must repeat.

    So it is compiled by `regex`, which runs it.
    """
    if isinstance(part, _parser.SubPattern):
        return sum(1 + _repeated(operator, argument) for operator, argument in part)
    return sum(map(_unrolled, part)) if isinstance(part, tuple | list) else 0


def _repeated(operator: object, argument: Any) -> int:
    if operator not in _REPEATS:
        return _unrolled(argument)
    fewest, _, body = argument
    return max(1, int(fewest)) * _unrolled(body)
