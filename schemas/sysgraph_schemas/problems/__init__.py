"""What can be wrong with a graph file before it is a graph: one file a kind of problem."""

from ..diagnostics import Code
from . import (
    bad_name,
    bad_override,
    bad_tag,
    bad_value,
    clashing_keys,
    duplicate_key,
    file_version,
    graph_name,
    missing_key,
    not_one_document,
    table_probs,
    too_big,
    unknown_key,
    unknown_kind,
    unreadable,
    wrong_type,
    yaml_syntax,
)

CODES: tuple[Code, ...] = (
    unreadable.CODE,
    yaml_syntax.CODE,
    duplicate_key.CODE,
    bad_tag.CODE,
    not_one_document.CODE,
    too_big.CODE,
    bad_override.CODE,
    unknown_key.CODE,
    missing_key.CODE,
    wrong_type.CODE,
    unknown_kind.CODE,
    bad_value.CODE,
    bad_name.CODE,
    clashing_keys.CODE,
    table_probs.CODE,
    file_version.CODE,
    graph_name.CODE,
)
"""Every kind of problem that reading a file can find, by number."""
