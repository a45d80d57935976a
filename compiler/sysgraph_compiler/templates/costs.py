"""What filters, methods and operators of templates cost: bounds on the characters they make.

Each is called with what the operation is called with, before it runs.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from .budget import length_of, size_of
from .flaw import TemplateError

Cost = Callable[..., int]

_NUMBER = re.compile(r"\d+")
_BRACES = re.compile(r"\{([^{}]*)\}")
_BRACE_VALUE = re.compile(r"\{[^{}]*:[^{}]*\{")  # {:{width}}
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(\d*)\.?(\d*)")
_PERCENT_VALUE = re.compile(r"%(?:\([^)]*\))?[-+ #0]*\d*\.?\*")  # %*d


def linear(*args: Any, **kwargs: Any) -> int:
    """What reads its arguments and makes something about as long."""
    return 1 + size_of(*args, *kwargs.values())


def _one(*_: Any, **__: Any) -> int:
    return 1


def _items(value: Any, *_: Any, **__: Any) -> int:
    return 1 + length_of(value)


def _product(value: Any = "", *args: Any, **kwargs: Any) -> int:
    """What may repeat an argument, or pad to a number, for each character."""
    return (1 + size_of(value)) * (1 + size_of(*args, *kwargs.values()) + _numbers(args, kwargs))


def _padded(*args: Any, **kwargs: Any) -> int:
    return linear(*args, **kwargs) + _numbers(args, kwargs)


def _numbers(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    return sum(abs(int(one)) for one in (*args, *kwargs.values()) if isinstance(one, int | float))


def _joined(items: Any, d: Any = "", attribute: Any = None) -> int:
    return 1 + size_of(items) + length_of(items) * (1 + len(str(d)) if size_of(d) else 1)


def _replaced(s: Any, old: Any, new: Any, count: Any = None) -> int:
    text, old, new = str(s), str(old), str(new)
    return 1 + len(text) + text.count(old) * len(new)


def _indented(
    s: Any, width: Any = 4, first: Any = False, blank: Any = False, indentfirst: Any = None
) -> int:
    columns = width if isinstance(width, int) else length_of(width)
    return 1 + size_of(s) + (1 + len(str(s).splitlines())) * max(columns, 0)


def _percent(text: Any, /, *args: Any, **kwargs: Any) -> int:
    """`%`: the widths that the text asks for, and each value as often as it can name one."""
    written = str(text)
    if _PERCENT_VALUE.search(written):
        raise TemplateError("a width of `%` that is a value is not allowed in a template")
    widths = (width for found in _PERCENT.findall(written) for width in found)
    fields = 1 + written.count("%")
    return _filled(written, widths, fields, size_of(*args, *kwargs.values()))


def _braces(text: Any, /, *args: Any, **kwargs: Any) -> int:
    """`format`: as for `%`."""
    written = str(text)
    if _BRACE_VALUE.search(written.replace("{{", "").replace("}}", "")):
        raise TemplateError("a width of `format` that is a value is not allowed in a template")
    widths = (number for field in _BRACES.findall(written) for number in _NUMBER.findall(field))
    fields = 1 + written.count("{")
    return _filled(written, widths, fields, size_of(*args, *kwargs.values()))


def _filled(written: str, widths: Iterable[str], fields: int, size: int) -> int:
    return 1 + len(written) + sum(int(width[:9] or 0) for width in widths) + fields * size


def _dumped(
    value: Any,
    ensure_ascii: Any = False,
    indent: Any = None,
    separators: Any = None,
    sort_keys: Any = False,
) -> int:
    """JSON: every value can stand on a line of its own, indented by its depth."""
    columns = max(indent, 0) if isinstance(indent, int) else length_of(indent or "")
    between = sum(map(length_of, separators)) if separators else 0
    return 1 + size_of(value) * (1 + columns + between)


def _summed(value: Any, *args: Any, **kwargs: Any) -> int:
    return 1 + size_of(value) * (1 + length_of(value) if args or kwargs else 1)


def _split(text: Any, sep: Any = None, *_: Any, **__: Any) -> int:
    """Every part is an object of its own."""
    if isinstance(text, str) and isinstance(sep, str) and sep:
        return 1 + len(text) + 16 * text.count(sep)
    return 1 + 8 * length_of(text)


FILTER_COSTS: dict[str, Cost] = {
    **dict.fromkeys(
        ("length", "count", "first", "last", "d", "default", "attr", "sysgraph field"), _one
    ),
    # These read item by item, and what they call for an item charges for itself.
    **dict.fromkeys(("map", "select", "selectattr", "reject", "rejectattr"), _one),
    **dict.fromkeys(("list", "reverse", "items", "min", "max", "others"), _items),
    **dict.fromkeys(("batch", "slice", "center", "round", "truncate"), _padded),
    **dict.fromkeys(("wordwrap", "urlize", "xmlattr"), _product),
    "join": _joined,
    "replace": _replaced,
    "indent": _indented,
    "format": _percent,
    "tojson": _dumped,
    "sum": _summed,
}
"""By the filter's name; all others are `linear`."""

METHOD_COSTS: dict[str, Cost] = {
    **dict.fromkeys(("ljust", "rjust", "center", "zfill"), _padded),
    **dict.fromkeys(("expandtabs", "translate"), _product),
    **dict.fromkeys(("split", "rsplit", "splitlines"), _split),
    **dict.fromkeys(("get", "items", "keys", "values", "copy"), _items),
    "join": lambda separator, items=(), *_: _joined(items, separator),
    "replace": _replaced,
    "format": _braces,
    "format_map": _braces,
}
"""Of texts and dicts, by the method's name, called with the object itself first; else `linear`."""


def operator_cost(sign: str, left: Any, right: Any) -> int:
    """What `left sign right` costs."""
    if isinstance(left, int) and isinstance(right, int):
        digits = size_of(left), size_of(right)
        if sign == "**":
            return 1 + (digits[0] * abs(right)) ** 2 // 1000
        return 1 + digits[0] * digits[1] // 1000
    if sign == "%" and isinstance(left, str | bytes):
        return _percent(left, right)
    if sign == "*":
        times = next((one for one in (left, right) if isinstance(one, int)), 1)
        return 1 + max(0, times) * max(length_of(left), length_of(right))
    return 1 + length_of(left) + length_of(right)
