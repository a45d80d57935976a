"""Plain scalars by the YAML 1.2 core schema: `1e-4` is a number, `no` is a string, `0o17` is 15."""

import re

Plain = str | int | float | bool | None

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,100}")
_OCTAL = re.compile(r"0o[0-7]{1,100}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,100}|[0-9]{1,100}(\.[0-9]{0,100})?)([eE][-+]?[0-9]{1,5})?")
_OF_NUMBERS = frozenset("+-.0123456789")
"""What every number begins with, `.inf` and `.nan` too."""
_SPECIAL = re.compile(r"([-+]?)(\.inf|\.Inf|\.INF)|(\.nan|\.NaN|\.NAN)")


def resolve(text: str) -> Plain:
    """The value of an unquoted scalar (YAML 1.2.2, section 10.3.2)."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in _OF_NUMBERS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return text


TAGS: dict[str, type | None] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:null": None,
}
"""The core schema's scalar tags, for `!!int 3`."""


def resolve_tagged(tag: str, text: str) -> Plain:
    """The value of a scalar with an explicit core tag.

    Raises:
        ValueError: the text is no such value.
    """
    if tag.endswith(":str"):
        return text
    value = resolve(text)
    if tag.endswith(":float") and type(value) is int:
        return float(value)
    kind = TAGS[tag]
    if (kind is None and value is not None) or (kind is not None and type(value) is not kind):
        raise ValueError(text)
    return value
